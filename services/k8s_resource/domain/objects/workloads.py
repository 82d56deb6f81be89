"""Services, deployments and persistent volumes."""

from __future__ import annotations

import re

import msgspec

from services.k8s_resource.domain.objects.metadata import AnnotatedMeta, Condition, ObjectMeta
from services.k8s_resource.domain.objects.pods import Container

S3_DRIVER = "s3.csi.aws.com"
_BUCKET_ANNOTATIONS = ("s3.csi.aws.com/bucket", "s3.csi.aws.com/bucketName", "bucketName", "bucket")


class Ingress(msgspec.Struct, gc=False):
    """An address of a load balancer."""

    ip: str = ""
    hostname: str = ""


class LoadBalancer(msgspec.Struct, gc=False):
    """status.loadBalancer."""

    ingress: list[Ingress] | None = None


class Port(msgspec.Struct, gc=False):
    """A port of a service."""

    name: str = ""
    port: int = 0
    target_port: int | str | None = msgspec.field(default=None, name="targetPort")
    protocol: str = ""
    node_port: int = msgspec.field(default=0, name="nodePort")


class ServiceSpec(msgspec.Struct, gc=False):
    """spec."""

    type: str = ""
    cluster_ip: str = msgspec.field(default="", name="clusterIP")
    external_ips: list[str] | None = msgspec.field(default=None, name="externalIPs")
    external_name: str = msgspec.field(default="", name="externalName")
    ports: list[Port] | None = None
    selector: dict[str, str] | None = None


class ServiceStatus(msgspec.Struct, gc=False):
    """status."""

    load_balancer: LoadBalancer | None = msgspec.field(default=None, name="loadBalancer")


class Service(msgspec.Struct, gc=False):
    """A service."""

    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: ServiceSpec = msgspec.field(default_factory=ServiceSpec)
    status: ServiceStatus = msgspec.field(default_factory=ServiceStatus)

    def external_addresses(self) -> list[str]:
        """Where it is reached from outside: load balancers, external IPs, external name."""
        balancer = self.status.load_balancer
        found = [i.hostname or i.ip for i in (balancer.ingress if balancer else None) or ()]
        found += self.spec.external_ips or ()
        if self.spec.external_name:
            found.append(self.spec.external_name)
        return [address for address in found if address]


class PodTemplateSpec(msgspec.Struct, gc=False):
    """spec of a pod template."""

    containers: list[Container] = []


class PodTemplate(msgspec.Struct, gc=False):
    """A pod template."""

    spec: PodTemplateSpec = msgspec.field(default_factory=PodTemplateSpec)


class DeploymentSpec(msgspec.Struct, gc=False):
    """spec."""

    replicas: int | None = None
    template: PodTemplate = msgspec.field(default_factory=PodTemplate)


class DeploymentStatus(msgspec.Struct, gc=False):
    """status."""

    ready_replicas: int = msgspec.field(default=0, name="readyReplicas")
    updated_replicas: int = msgspec.field(default=0, name="updatedReplicas")
    available_replicas: int = msgspec.field(default=0, name="availableReplicas")
    conditions: list[Condition] | None = None


class Deployment(msgspec.Struct, gc=False):
    """A deployment."""

    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: DeploymentSpec = msgspec.field(default_factory=DeploymentSpec)
    status: DeploymentStatus = msgspec.field(default_factory=DeploymentStatus)

    @property
    def replicas(self) -> int:
        """Replicas asked for; the API's default is 1."""
        return 1 if self.spec.replicas is None else self.spec.replicas


class Csi(msgspec.Struct, gc=False):
    """spec.csi."""

    driver: str = ""
    volume_handle: str = msgspec.field(default="", name="volumeHandle")
    volume_attributes: dict[str, str] | None = msgspec.field(default=None, name="volumeAttributes")


class ClaimRef(msgspec.Struct, gc=False):
    """spec.claimRef."""

    namespace: str = ""
    name: str = ""
    uid: str = ""


class PersistentVolumeSpec(msgspec.Struct, gc=False):
    """spec."""

    capacity: dict[str, str | int | float] | None = None
    access_modes: list[str] | None = msgspec.field(default=None, name="accessModes")
    reclaim_policy: str = msgspec.field(default="", name="persistentVolumeReclaimPolicy")
    storage_class: str = msgspec.field(default="", name="storageClassName")
    claim_ref: ClaimRef | None = msgspec.field(default=None, name="claimRef")
    csi: Csi | None = None
    mount_options: list[str] | None = msgspec.field(default=None, name="mountOptions")


class PersistentVolumeStatus(msgspec.Struct, gc=False):
    """status."""

    phase: str = ""


class PersistentVolume(msgspec.Struct, gc=False):
    """A persistent volume."""

    metadata: AnnotatedMeta = msgspec.field(default_factory=AnnotatedMeta)
    spec: PersistentVolumeSpec = msgspec.field(default_factory=PersistentVolumeSpec)
    status: PersistentVolumeStatus = msgspec.field(default_factory=PersistentVolumeStatus)

    def bucket(self) -> str:
        """The S3 bucket; empty for other volumes.

        From volumeAttributes.bucketName or .bucket, else the volume handle ("s3://b",
        "region::b" or the bare name), else annotations.
        """
        csi = self.spec.csi
        if csi is None or csi.driver != S3_DRIVER:
            return ""
        attributes = csi.volume_attributes or {}
        named = attributes.get("bucketName") or attributes.get("bucket")
        if named:
            return named
        handle = csi.volume_handle.removeprefix("s3://").rpartition("::")[2].partition("/")[0]
        if handle:
            return handle
        annotations = self.metadata.annotations or {}
        return next((annotations[key] for key in _BUCKET_ANNOTATIONS if key in annotations), "")

    def region(self) -> str:
        """The bucket's region where stated: attributes, mount option "region X", or handle."""
        csi = self.spec.csi
        if csi is None or csi.driver != S3_DRIVER:
            return ""
        stated = (csi.volume_attributes or {}).get("region")
        if stated:
            return stated
        for option in self.spec.mount_options or ():
            found = re.fullmatch(r"(?:--)?region[ =](\S+)", option.strip())
            if found:
                return found[1]
        return csi.volume_handle.rpartition("::")[0]
