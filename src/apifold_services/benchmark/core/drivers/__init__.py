"""Drivers: one for each tool, the best first."""

from apifold_services.benchmark.core.drivers.builtin import Numpy, Python
from apifold_services.benchmark.core.drivers.driver import Driver, Measurement, Tool
from apifold_services.benchmark.core.drivers.fio import Fio
from apifold_services.benchmark.core.drivers.iperf3 import Iperf3
from apifold_services.benchmark.core.drivers.ndpi import Ndpi
from apifold_services.benchmark.core.drivers.openssl import OpenSsl
from apifold_services.benchmark.core.drivers.sysbench import Sysbench

DRIVERS: tuple[Driver, ...] = (OpenSsl(), Ndpi(), Numpy(), Fio(), Iperf3(), Sysbench(), Python())
"""In order of preference: the first whose tool is there measures a metric."""

__all__ = ["DRIVERS", "Driver", "Measurement", "Tool"]
