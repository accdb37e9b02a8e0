"use strict";
const place = document.getElementById("ui");
if (place.dataset.kind === "swagger-ui") {
  window.ui = SwaggerUIBundle({
    url: place.dataset.document,
    domNode: place,
    deepLinking: true,
    tryItOutEnabled: true,
    displayRequestDuration: true,
    validatorUrl: null,
    requestInterceptor: (request) => {
      // Behind a proxy that takes a prefix away, a description's own server has no prefix; the page knows it.
      const root = place.dataset.root;
      if (root && !request.loadSpec) {
        const address = new URL(request.url, window.location.href);
        if (address.origin === window.location.origin && !address.pathname.startsWith(root + "/")) {
          address.pathname = root + address.pathname;
          request.url = address.toString();
        }
      }
      return request;
    },
  });
} else {
  Redoc.init(place.dataset.document, { hideDownloadButtons: false, disableSearch: true }, place);
}
