"""The manifests of deploy/kubernetes as kubectl renders them, with secrets that are made up, and what checks them."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml
from cloudcoil.models.keda.v1alpha1 import ScaledObject

from tests.servers import ROOT

Manifest = dict[str, Any]

OVERLAYS = ("gpu", "small")
SECRETS = ("s3_secret_key", "redis_password", "page_password")
VERSIONS = ("1.32", "1.37")
"""Of Kubernetes: the first that numbers the pods of a StatefulSet for good, and the last."""
WORKLOADS = ("Deployment", "StatefulSet", "Job")


def render(
    overlay: str, secrets: Iterable[str] = SECRETS, kustomization: str = ""
) -> "subprocess.CompletedProcess[str]":
    """Render an overlay to YAML on standard output.

    Args:
        overlay: its folder.
        secrets: those that have been made.
        kustomization: what it consists of; empty: what is there.
    """
    kubectl = Path(sys.executable).with_name("kubectl")
    with tempfile.TemporaryDirectory() as folder:
        for name in ("kubernetes", "monitoring"):
            shutil.copytree(ROOT / "deploy" / name, Path(folder, name), ignore=shutil.ignore_patterns("secrets"))
        made = Path(folder, "kubernetes/base/secrets")
        made.mkdir()
        for secret in secrets:
            (made / secret).write_text("made up")
        if kustomization:
            Path(folder, "kubernetes", overlay).mkdir()
            Path(folder, "kubernetes", overlay, "kustomization.yaml").write_text(kustomization)
        command = [kubectl, "kustomize", Path(folder, "kubernetes", overlay)]
        return subprocess.run(command, check=False, capture_output=True, text=True)


@cache
def manifests(overlay: str) -> tuple[Manifest, ...]:
    """Return the objects of an overlay."""
    result = render(overlay)
    assert result.returncode == 0, result.stderr
    return tuple(yaml.safe_load_all(result.stdout))


def of_kind(overlay: str, *kinds: str) -> dict[str, Manifest]:
    """Return the objects of some kinds by name."""
    return {each["metadata"]["name"]: each for each in manifests(overlay) if each["kind"] in kinds}


def pods(overlay: str) -> dict[str, Manifest]:
    """Return the templates of all pods by the name of their workload."""
    return {name: each["spec"]["template"] for name, each in of_kind(overlay, *WORKLOADS).items()}


def container(pod: Manifest) -> Manifest:
    """Return the only container of a pod."""
    (only,) = pod["spec"]["containers"]
    return dict(only)


def variables(overlay: str, pod: Manifest) -> dict[str, Any]:
    """Return the variables of a pod's container: those of its ConfigMaps, and its own, of which some have no value."""
    given: dict[str, Any] = {}
    for source in container(pod).get("envFrom", []):
        given |= of_kind(overlay, "ConfigMap")[source["configMapRef"]["name"]]["data"]
    return given | {each["name"]: each.get("value") for each in container(pod).get("env", [])}


def validate(manifest: Manifest, version: str) -> None:
    """Raise unless every field of an object is one that Kubernetes, or KEDA, knows, and of the right type.

    Args:
        manifest: an object.
        version: of Kubernetes.
    """
    if manifest["kind"] == "ScaledObject":
        ScaledObject.model_validate(manifest, strict=True, extra="forbid")
    else:
        kubernetes_validate.validate(manifest, version, strict=True)


def selects(selector: Manifest, labels: dict[str, str]) -> bool:
    """Say whether a selector of labels selects a pod."""
    wanted = selector.get("matchLabels", {}).items() <= labels.items()
    return wanted and all(
        each["operator"] == "In" and labels.get(each["key"]) in each["values"]
        for each in selector.get("matchExpressions", [])
    )
