"""Servers: they are there at once, and start and stop at once."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from apifold import Conflict, Deployment, Fault, Invalid, NotFound
from apifold_services.multicloud.standin.core.fixed import FIXED
from apifold_services.multicloud.standin.core.flavors import Flavors
from apifold_services.multicloud.standin.core.hypervisors import ZONE, emptiest, usage
from apifold_services.multicloud.standin.core.images import Images
from apifold_services.multicloud.standin.core.networks import Networks
from apifold_services.multicloud.standin.core.resources import Resource, Resources

ACTIONS = {
    "os-start": ("SHUTOFF", "ACTIVE"),
    "os-stop": ("ACTIVE", "SHUTOFF"),
    "reboot": ("ACTIVE", "ACTIVE"),
}
"""The status that an action needs, and the one that it leads to."""


class Servers(Resources):
    """The servers of each project."""

    def __init__(self, deployment: Deployment, flavors: Flavors, images: Images, networks: Networks) -> None:
        super().__init__(deployment, "Instance")
        self.flavors = flavors
        self.images = images
        self.networks = networks

    def add(self, project: str, user: str, wish: dict[str, Any]) -> Resource:
        """A new server, running, with a port on each network that it names.

        Raises:
            Invalid: there is no such flavor, image, network or port.
            Conflict: a network has no address left.
        """
        try:
            flavor = self.flavors.get(project, str(wish["flavorRef"]).rpartition("/")[2])
            image = self.images.get(project, wish["imageRef"].rpartition("/")[2])["id"] if wish.get("imageRef") else ""
            named = wish.get("networks") or []
            networks = [one for one in named if isinstance(one, dict)]  # "auto" and "none" name none
            for one in networks:
                kept, key = (self.networks.ports, "port") if one.get("port") else (self.networks.networks, "uuid")
                kept.get(project, one.get(key, ""))
        except NotFound as fault:
            raise Invalid(fault.detail) from None
        server = self.create(
            project,
            {
                "name": wish["name"],
                "status": "ACTIVE",
                "flavor": flavor,
                "image": image,
                "metadata": wish.get("metadata") or {},
                "key_name": wish.get("key_name"),
                "zone": wish.get("availability_zone") or ZONE,
                "security_groups": wish.get("security_groups") or [{"name": "default"}],
                "volumes": [{"id": one["uuid"]} for one in wish.get("block_device_mapping_v2", ()) if "uuid" in one],
                "user_id": user,
                "host": emptiest(self.every()),
            },
        )
        try:
            self._plug(project, server, networks)
        except Fault:
            self.end(project, server["id"])
            raise
        return server

    def addresses(self, project: str, servers: list[Resource]) -> dict[str, dict[str, list[dict[str, Any]]]]:
        """The addresses of servers, by server and by network's name."""
        if not servers:
            return {}
        names = {network["id"]: network["name"] for network in self.networks.networks.page(project)}
        found: dict[str, dict[str, list[dict[str, Any]]]] = {server["id"]: {} for server in servers}
        for port in self.networks.ports.page(project):
            if port["device_id"] in found:
                shown = found[port["device_id"]].setdefault(names[port["network_id"]], [])
                shown += [
                    {
                        "addr": fixed["ip_address"],
                        "version": 6 if ":" in fixed["ip_address"] else 4,
                        "OS-EXT-IPS:type": "fixed",
                        "OS-EXT-IPS-MAC:mac_addr": port["mac_address"],
                    }
                    for fixed in port["fixed_ips"]
                ]
        return found

    def act(self, project: str, id: str, action: str) -> None:
        """Start, stop or reboot a server.

        Raises:
            NotFound: there is none.
            Conflict: its status does not allow it.
        """
        needed, then = ACTIONS[action]

        def acted(server: Resource) -> Resource:
            if server["status"] != needed:
                state = "active" if server["status"] == "ACTIVE" else "stopped"
                raise Conflict(f"Cannot '{action}' instance {id} while it is in vm_state {state}")
            return {"status": then}

        self.change(project, id, acted)

    def end(self, project: str, id: str) -> None:
        """Forget a server, and the ports that were made for it. Raises NotFound."""
        self.remove(project, id)
        for port in self.networks.ports.page(project, device_id=id):
            with suppress(NotFound):
                if port.get("made_for") == id:
                    self.networks.remove_port(project, port["id"])
                else:
                    self.networks.ports.change(
                        project, port["id"], lambda _: {"device_id": "", "device_owner": "", "status": "DOWN"}
                    )

    def limits(self, project: str) -> dict[str, int]:
        """What a project may have, and what its servers take."""
        mine = self.page(project)
        used = usage(mine)
        return {
            **FIXED["limits"],
            "totalInstancesUsed": len(mine),
            "totalCoresUsed": used["vcpus"],
            "totalRAMUsed": used["ram"],
        }

    def _plug(self, project: str, server: Resource, networks: list[dict[str, Any]]) -> None:
        device = {"device_id": server["id"], "device_owner": f"compute:{server['zone']}", "status": "ACTIVE"}
        for one in networks:
            if one.get("port"):
                self.networks.ports.change(project, one["port"], lambda _: device)
            else:
                fixed = {"fixed_ips": [{"ip_address": one["fixed_ip"]}]} if one.get("fixed_ip") else {}
                own = {"network_id": one["uuid"], "made_for": server["id"]}
                self.networks.add_port(project, {**own, **device, **fixed})
