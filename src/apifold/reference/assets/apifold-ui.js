"use strict";
const place = document.getElementById("ui");

// Swagger UI is dark where its page has this class; Redoc has no dark form, the style sheet keeps it on white.
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);

if (place.dataset.kind === "swagger-ui") {
  follow();
  dark.addEventListener("change", follow);
  window.ui = SwaggerUIBundle({
    url: place.dataset.document,
    domNode: place,
    deepLinking: true,
    tryItOutEnabled: true,
    displayRequestDuration: true,
    requestSnippetsEnabled: true,
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
