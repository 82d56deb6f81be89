"""The composition of the local stack: which components there are, and where they keep things."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tools.stack import layout, podyard_processes, servers
from tools.stack.component import Component
from tools.stack.control_plane import ControlPlane
from tools.stack.podyard_processes import LOCAL_CLUSTER
from tools.stack.ports import free_ports, is_free
from tools.stack.records import Records, read_json, write_json
from tools.stack.settings import RunOptions, listen
from tools.stack.units import ControlPlaneUnit, ProcessUnit, Unit


class Stack:
    """All units of one local stack, and what it publishes about itself."""

    def __init__(self, options: RunOptions) -> None:
        options.check()
        self._options = options
        self.records = Records(options.state)
        data = options.state / "data"
        aws_port, sagemaker_port, mlflow_port = _ports(
            data / "ports.json", ("aws", "sagemaker", "mlflow")
        )
        self._aws = servers.ministack(aws_port, data / "aws", keep=True)
        self._sagemaker = servers.fake_sagemaker(sagemaker_port)
        self._mlflow = servers.mlflow(mlflow_port, data / "mlflow", after=("mlflow-data",))
        local = data / "kubernetes"
        self._plane = None if options.kubeconfig else ControlPlane("podyard", local)
        self.kubeconfig = options.kubeconfig or local / "kubeconfig"
        self._data = data
        self.units = self._make_units()

    def check_ports(self) -> None:
        """StackError when one of the fixed ports is taken."""
        if not self._options.backing_only:
            for stem in ("gateway", "k8s_resource", "cluster_lifecycle", "training_history"):
                listen(stem).check_free(stem.replace("_", "-"))

    def endpoints(self) -> dict[str, Any]:
        """The content of endpoints.json."""
        published: dict[str, Any] = {}
        if not self._options.backing_only:
            published["gateway"] = f"http://{listen('gateway').address}"
            for stem in ("k8s_resource", "cluster_lifecycle", "training_history"):
                published[stem] = listen(stem).address
        return published | {
            "mlflow": self._mlflow.address,
            "aws": self._aws.address,
            "sagemaker": self._sagemaker.address,
            "kubeconfig": str(self.kubeconfig),
            "clusters": [LOCAL_CLUSTER] if self._plane else [],
            "kubernetes": self._plane.server_url if self._plane else "",
            "programs": str(self._plane.programs) if self._plane else "",
            "components": [row for unit in self.units for row in unit.describe()],
        }

    def _make_units(self) -> list[Unit]:
        units: list[Unit] = []
        components = [self._aws, self._sagemaker, _mlflow_data(self._data / "mlflow"), self._mlflow]
        if self._plane is not None:
            units.append(ControlPlaneUnit(self._plane, self.records, LOCAL_CLUSTER))
            components += [_demo_data(self._plane), _log_writer(self._plane)]
        if not self._options.backing_only:
            components += podyard_processes.podyard(
                kubeconfig=self.kubeconfig,
                local=self._plane is not None,
                aws_url=self._aws.address,
                sagemaker_url=self._sagemaker.address,
                mlflow_url=self._mlflow.address,
                state=self._data,
            )
        return units + [ProcessUnit(component, self.records) for component in components]


def _ports(file: Path, names: tuple[str, ...]) -> list[int]:
    """Free ports; those of the last start when they still are, so that addresses stay."""
    last = read_json(file)
    chosen = {
        name: port if isinstance(port := last.get(name), int) and is_free(port) else new
        for name, new in zip(names, free_ports(len(names)), strict=True)
    }
    write_json(file, chosen)
    return list(chosen.values())


def _mlflow_data(folder: Path) -> Component:
    return Component(
        name="mlflow-data",
        argv=(_python(), "-m", "tools.stack.demo.runs", "--folder", str(folder)),
        ready=lambda: True,
        folder=layout.CHECKOUT,
        once=True,
    )


def _demo_data(plane: ControlPlane) -> Component:
    return Component(
        name="demo-data",
        argv=(
            *(_python(), "-m", "tools.stack.demo", "--kubectl", str(plane.kubectl_path)),
            *("--kubeconfig", str(plane.kubeconfig)),
        ),
        ready=lambda: True,
        after=("kubernetes",),
        folder=layout.CHECKOUT,
        once=True,
    )


def _log_writer(plane: ControlPlane) -> Component:
    """Not ready before every pod of the demo has a log."""
    marker = plane.pod_log_folder / ".ready"
    return Component(
        name="log-writer",
        argv=(
            *(_python(), "-m", "tools.stack.log_writer", "--kubeconfig", str(plane.kubeconfig)),
            *("--folder", str(plane.pod_log_folder), "--marker", str(marker)),
        ),
        ready=marker.exists,
        after=("demo-data",),
        folder=layout.CHECKOUT,
    )


def _python() -> str:
    return str(layout.CHECKOUT_PYTHON)
