"""Generate, check and lint the protocol buffers: `python -m tools.protos generate|check|lint|format`.

The imports that are not ours come from installed packages: google/api and
google/rpc as source files from googleapis-common-protos, buf/validate as the
descriptor inside protovalidate. Nothing is fetched.
"""

from __future__ import annotations

import argparse
import filecmp
import importlib.resources
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from google.protobuf import descriptor_pb2
from google.protobuf.message import Message
from google.rpc import status_pb2
from grpc_tools import protoc
from protovalidate._gen.buf.validate import validate_pb

ROOT = Path(__file__).resolve().parents[2]
PROTOS = ROOT / "protos"
GENERATED = PROTOS / "gen"
VALIDATE_PROTO = "buf/validate/validate.proto"
COMMENTS = Path("podyard/comments.json")
_BUF_DIRECTIVE = re.compile(r"^ *buf:lint:ignore .*$", re.MULTILINE)
"""Generated code has no comments; who describes the API to people reads them here."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="tools.protos", description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=["generate", "check", "lint", "format", "breaking"])
    parser.add_argument("--against", default="main", help="revision for `breaking`")
    args = parser.parse_args()
    match args.command:
        case "generate":
            generate(GENERATED)
            return 0
        case "check":
            return check()
        case "lint":
            return lint()
        case "format":
            return buf("format", "--write", str(PROTOS))
        case _:
            return breaking(args.against)


def sources(root: Path = PROTOS) -> list[str]:
    """Our .proto files, relative to `root`, in a fixed order."""
    return sorted(str(p.relative_to(root)) for p in (root / "podyard").rglob("*.proto"))


def run_protoc(root: Path, *outputs: str, files: list[str]) -> None:
    """Run protoc on `files` below `root`; SystemExit with its message on failure."""
    well_known = str(importlib.resources.files("grpc_tools") / "_proto")
    google_apis = str(Path(status_pb2.__file__).parents[2])
    with tempfile.TemporaryDirectory() as folder:
        imports = Path(folder, "imports.binpb")
        imports.write_bytes(import_descriptors())
        code = protoc.main(
            [
                "protoc",
                f"-I{root}",
                f"-I{google_apis}",
                f"-I{well_known}",
                f"--descriptor_set_in={imports}",
                *outputs,
                *files,
            ]
        )
    if code != 0:
        raise SystemExit(f"protoc failed with exit code {code}; its message is above")


def import_descriptors() -> bytes:
    """A FileDescriptorSet of buf/validate/validate.proto and the well-known types it imports."""
    from google.protobuf import duration_pb2, field_mask_pb2, timestamp_pb2

    files = descriptor_pb2.FileDescriptorSet()
    for module in (descriptor_pb2, duration_pb2, field_mask_pb2, timestamp_pb2):
        module.DESCRIPTOR.CopyToProto(files.file.add())
    files.file.add().ParseFromString(validate_pb.desc().proto.to_binary())
    return files.SerializeToString()


def generate(target: Path) -> None:
    """Write messages, type stubs and gRPC code of every proto to `target`, replacing it."""
    target.mkdir(parents=True, exist_ok=True)
    for old in target.iterdir():
        shutil.rmtree(old) if old.is_dir() else old.unlink()
    ours = sources()
    run_protoc(
        PROTOS, f"--python_out={target}", f"--pyi_out={target}", files=[*ours, VALIDATE_PROTO]
    )
    services = [name for name in ours if name.endswith("_service.proto")]
    run_protoc(PROTOS, f"--grpc_python_out={target}", files=services)
    (target / COMMENTS).write_text(
        json.dumps(comments(PROTOS), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    )


def check() -> int:
    """Compare the committed code with freshly generated code; 1 on a difference."""
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder)
        generate(fresh)
        names = {
            p.relative_to(r)
            for r in (fresh, GENERATED)
            for p in r.rglob("*.*")
            if p.suffix in (".py", ".pyi", ".json")
        }
        stale = sorted(
            str(n)
            for n in names
            if not (fresh / n).exists()
            or not (GENERATED / n).exists()
            or not filecmp.cmp(fresh / n, GENERATED / n, shallow=False)
        )
    for name in stale:
        print(f"protos/gen/{name} is not what the protos give; run: make protos", file=sys.stderr)
    return 1 if stale else 0


def lint() -> int:
    """Lint rules and formatting of buf; 0 when clean."""
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder, "image.binpb")
        describe(PROTOS, image)
        linted = buf("lint", str(image), "--config", lint_config())
    return linted or buf("format", "--diff", "--exit-code", str(PROTOS))


def breaking(against: str) -> int:
    """Compare with the protos of a git revision by buf's FILE rules; 0 when compatible."""
    with tempfile.TemporaryDirectory() as folder:
        old = Path(folder, "old")
        old.mkdir()
        archive = subprocess.run(
            ["git", "archive", against, "protos"], cwd=ROOT, check=True, capture_output=True
        )
        subprocess.run(["tar", "-x", "-C", str(old)], input=archive.stdout, check=True)
        describe(old / "protos", Path(folder, "old.binpb"))
        describe(PROTOS, Path(folder, "new.binpb"))
        return buf(
            "breaking",
            str(Path(folder, "new.binpb")),
            "--against",
            str(Path(folder, "old.binpb")),
            "--config",
            lint_config(),
        )


def describe(root: Path, image: Path) -> None:
    """Write the descriptors of the protos below `root`, with imports and comments, to `image`."""
    run_protoc(
        root,
        f"--descriptor_set_out={image}",
        "--include_imports",
        "--include_source_info",
        files=sources(root),
    )


def comments(root: Path) -> dict[str, str]:
    """The leading comment of every service, method, message, field, enum and value, by full name."""
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder, "image.binpb")
        describe(root, image)
        files = descriptor_pb2.FileDescriptorSet.FromString(image.read_bytes()).file
    found: dict[str, str] = {}
    for file in files:
        if not file.name.startswith("podyard/"):
            continue
        for location in file.source_code_info.location:
            text = " ".join(_BUF_DIRECTIVE.sub("", location.leading_comments).split())
            name = full_name(file, list(location.path))
            if text and name:
                found[name] = text
    return found


def full_name(file: descriptor_pb2.FileDescriptorProto, path: list[int]) -> str:
    """The name of what a SourceCodeInfo path leads to; empty for what has none, such as an import."""
    names = [file.package]
    element: Message = file
    for number, index in zip(path[::2], path[1::2], strict=False):
        field = element.DESCRIPTOR.fields_by_number[number]
        if not field.is_repeated or field.message_type is None:
            return ""
        element = getattr(element, field.name)[index]
        names.append(getattr(element, "name", ""))
    return ".".join(names) if len(names) > 1 and len(path) % 2 == 0 and all(names) else ""


def lint_config() -> str:
    """buf.yaml's rules as inline configuration, without its modules: an image has none."""
    import yaml

    config = yaml.safe_load((ROOT / "buf.yaml").read_text())
    return json.dumps({key: config[key] for key in ("version", "lint", "breaking")})


def buf(*args: str) -> int:
    """Run buf without network access; its exit code."""
    executable = Path(sys.executable).with_name("buf")
    return subprocess.run([str(executable), *args], cwd=ROOT, env={**os.environ}).returncode


if __name__ == "__main__":
    sys.exit(main())
