"""The stages of the Dockerfile, read and run without a container engine; see scripts/check-image.

What is not run as it is written, and what stands for it:
- `FROM` and `apt-get install`: this machine's compilers; of the last stage a table of what its packages bring.
- `npm ci && npm run build`: what scripts/build-web has built, by the same lock file and from no file that a clone does not have.
- `cargo build --profile dist`: the given program, and that every tracked file is in the context which the stage copies.
Everything else runs: scripts/split-symbols, and, in a root with nothing but what the last stage copies, read-only and as its
user, a migration, a worker and an edge.
"""
import contextlib, fnmatch, json, os, pathlib, re, shlex, shutil, socket, subprocess, sys, tempfile, time, urllib.request

from dockerfile_parse import DockerfileParser

ROOT = pathlib.Path.cwd()
# Libraries of an image and of the packages that are installed into it.
PROVIDES = {
    "debian:12-slim": {"libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1", "libgcc_s.so.1", "libstdc++.so.6"},
    "libssl3": {"libssl.so.3", "libcrypto.so.3"},
    "zlib1g": {"libz.so.1"},
    "ca-certificates": set(),
}
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
PATIENCE = 60


def stages():
    """Name, base and instructions of each stage, in order."""
    found = []
    for entry in DockerfileParser(fileobj=open(ROOT / "Dockerfile", "rb")).structure:
        instruction, value = entry["instruction"], entry["value"]
        if instruction == "FROM":
            base, *named = re.split(r"\s+AS\s+", value, flags=re.IGNORECASE)
            found.append((named[0] if named else str(len(found)), base, []))
        elif instruction != "COMMENT":
            found[-1][2].append((instruction, value))
    return found


def tracked():
    return subprocess.run(["git", "ls-files", "-z", "--cached"], check=True, capture_output=True, text=True).stdout.split("\0")[:-1]


def is_ignored(name):
    """By .dockerignore, which has no exceptions here: a pattern matches a path or a folder above it."""
    patterns = [line.strip() for line in (ROOT / ".dockerignore").read_text().splitlines() if line.strip() and line[0] != "#"]
    assert not any(pattern.startswith("!") for pattern in patterns), ".dockerignore has an exception, which this check cannot read"
    path = pathlib.PurePosixPath(name)
    every = [str(path), *map(str, path.parents)]
    return any(fnmatch.fnmatchcase(one, pattern.replace("**/", "")) or (pattern.startswith("**/") and fnmatch.fnmatchcase(pathlib.PurePosixPath(one).name, pattern[3:]))
               for pattern in patterns for one in every)


class Build:
    """Stages as folders."""

    def __init__(self, scratch, program, found):
        self.scratch, self.program, self.roots = scratch, program, {}
        # What stages bring may be left out of the context.
        copied = [value for *_, instructions in found for instruction, value in instructions if instruction == "COPY"]
        self.brought = [value.split()[-1] for value in copied if "--from=" in value]

    def stage(self, name, base, instructions):
        root = self.roots[name] = self.scratch / name
        root.mkdir()
        here, settings = pathlib.PurePosixPath("/"), {}
        for instruction, value in instructions:
            if instruction == "WORKDIR":
                here /= value
                self.inside(root, here).mkdir(parents=True, exist_ok=True)
            elif instruction == "COPY":
                self.copy(root, here, value)
            elif instruction == "RUN":
                settings.setdefault("packages", set()).update(self.run(root, here, value))
            else:
                settings[instruction] = value
        return {**settings, "base": base, "root": root}

    @staticmethod
    def inside(root, path):
        return root / str(path).lstrip("/")

    def copy(self, root, here, value):
        words = shlex.split(value)
        origin = next((word.removeprefix("--from=") for word in words if word.startswith("--from=")), None)
        source, target = [word for word in words if not word.startswith("--")]
        into = self.inside(root, here / target)
        if target.endswith("/") or (origin is None and source == "."):
            into.mkdir(parents=True, exist_ok=True)
        into.parent.mkdir(parents=True, exist_ok=True)
        if origin is None:
            names = [name for name in tracked() if source == "." or name == source or name.startswith(source + "/")]
            names = [name for name in names if not any(name.startswith(f"{target}/") for target in self.brought)]
            left_out = [name for name in names if is_ignored(name)]
            assert names and not left_out, f"COPY {value}: not in the context: {left_out or source}"
            for name in names:
                to = into / (name if source == "." else name[len(source) + 1:])
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, to)
        else:
            made = self.inside(self.roots[origin], source)
            assert made.exists(), f"COPY {value}: stage {origin} makes no {source}"
            if made.is_dir():
                shutil.copytree(made, into, dirs_exist_ok=True)
            else:
                shutil.copy2(made, into / made.name if into.is_dir() else into)

    def run(self, root, here, value):
        """Runs what can be run here; returns the packages that the rest would install."""
        packages, folder = set(), self.inside(root, here)
        for command in map(str.strip, value.split("&&")):
            words = shlex.split(command)
            if words[:2] == ["apt-get", "install"]:
                packages.update(word for word in words[2:] if not word.startswith("-"))
            elif words[:2] == ["apt-get", "update"] or words[:2] == ["rm", "-rf"]:
                continue
            elif words == ["npm", "ci"]:
                installed = (ROOT / "edge/web/node_modules/.installed-lock").read_bytes()
                assert (folder / "package-lock.json").read_bytes() == installed, "scripts/build-web has another lock file"
            elif words == ["npm", "run", "build"]:
                unknown = subprocess.run(["git", "ls-files", "--others", "--exclude-standard", "edge/web"], capture_output=True, text=True).stdout
                assert not unknown, f"not in the context of a clone: {unknown}"
                shutil.copytree(ROOT / "edge/web/dist", folder / "dist")
            elif words[:2] == ["cargo", "build"]:
                profile, name = words[words.index("--profile") + 1], words[words.index("-p") + 1]
                made = folder / "target" / profile / name
                made.parent.mkdir(parents=True)
                shutil.copy2(self.program, made)
            else:
                done = subprocess.run(words, cwd=folder, capture_output=True, text=True)
                assert done.returncode == 0, f"RUN {command}: {done.stdout}{done.stderr}"
        return packages


def needed(program):
    """Libraries by name, and where this machine has them; the loader has a path for a name."""
    lines = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout.splitlines()
    found = [re.match(r"\s*(\S+)(?: => (\S+))? \(0x", line) for line in lines]
    return {match[1]: match[2] or match[1] for match in found if match and not match[1].startswith("linux-vdso")}


def complete(image):
    """Puts what the base image and its packages bring beside what was copied; only libraries that they do bring."""
    root, program = image["root"], image["root"] / "usr/local/bin/natter"
    files = sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())
    assert files == ["usr/local/bin/natter"], f"the last stage has more than the program: {files}"
    unknown = image["packages"] - PROVIDES.keys()
    assert not unknown, f"not in the table of this check: {unknown}"
    provided = set().union(*(PROVIDES[name] for name in {image["base"], *image["packages"]}))
    for name, path in needed(program).items():
        assert name in provided or name.startswith("/"), f"the program needs {name}, which nothing in the last stage brings"
        to = root / path.lstrip("/")
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, to)
    (root / CERTIFICATES.lstrip("/")).parent.mkdir(parents=True)
    shutil.copy2(CERTIFICATES, root / CERTIFICATES.lstrip("/"))
    for mounted in ("proc", "dev", "data"):
        (root / mounted).mkdir()


def container(image, volume, arguments):
    """A command in the root of the image: read-only but for the volume, with the image's user and no rights."""
    user, group = image["USER"].split(":")
    assert int(user) > 0 and int(group) > 0, "the image runs as root"
    root, (entry,) = image["root"], json.loads(image["ENTRYPOINT"])
    setup = f"""set -e
        mount --bind {root} {root}
        mount --rbind /dev {root}/dev
        mount --bind {volume} {root}/data
        mount -o remount,ro,bind {root}
        mount -t proc proc {root}/proc
        exec unshare --user --map-user={user} --map-group={group} --root={root} --wd=/ /usr/local/bin/{entry} "$@" """
    return ["unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", setup, "sh", *arguments]


@contextlib.contextmanager
def running(command, log, env=None):
    with open(log, "ab") as out:
        process = subprocess.Popen([str(part) for part in command], stdout=out, stderr=out, env=env)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait(what, find, log):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with contextlib.suppress(OSError, ValueError, StopIteration):
            if found := find():
                return found
        time.sleep(0.05)
    sys.exit(f"not within {PATIENCE} s: {what}\n{pathlib.Path(log).read_text()[-3000:]}")


def ready(log, event):
    lines = (json.loads(line) for line in pathlib.Path(log).read_text().splitlines() if line.startswith("{"))
    return next((line for line in lines if line.get("message") == event), None)


def serve(image, scratch):
    """A migration, a worker and an edge, each in a container of its own, and what they are for."""
    logs, volume = scratch / "logs", scratch / "volume"
    for folder in (logs, volume, scratch / "nats"):
        folder.mkdir()
    nats = ["nats-server", "-js", "-a", "127.0.0.1", "-p", "-1", "-sd", scratch / "nats", "--ports_file_dir", logs]
    port = free_port()
    redis = ["redis-server", "--bind", "127.0.0.1", "--port", port, "--save", "", "--dir", scratch]
    with running(nats, logs / "nats"), running(redis, logs / "redis"):
        ports = wait("nats-server listens", lambda: json.loads(next(logs.glob("*.ports")).read_text())["nats"], logs / "nats")
        settings = {
            "NATS_URL": ports[0], "REDIS_URL": f"redis://127.0.0.1:{port}", "DATABASE_URL": "sqlite:/data/natter.db",
            "JWT_SECRET": "0123456789abcdef0123456789abcdef", "PORT": "0", "ADMIN_PORT": "0", "HOST": "127.0.0.1",
            "PARTITIONS": "2", "LOG_MAX_BYTES": "16777216", "LOG_FORMAT": "json", "PATH": os.environ["PATH"],
            "RATE_LIMITS": "login=1000/s",
        }

        def command(*arguments):
            done = subprocess.run(container(image, volume, arguments), env=settings, capture_output=True, text=True)
            assert done.returncode == 0, f"natter {' '.join(arguments)}: {done.stdout}{done.stderr}"
            return done.stdout

        def role(name):
            return running(container(image, volume, [name]), logs / name, settings)

        command("migrate")
        with role("worker"), role("edge"):
            wait("the worker is ready", lambda: ready(logs / "worker", "worker is ready"), logs / "worker")
            edge = wait("the edge is ready", lambda: ready(logs / "edge", "edge is ready"), logs / "edge")
            url = f"http://{edge['address']}"
            wait("the edge is healthy", lambda: command("health", f"{url}/health/ready").startswith("200"), logs / "edge")
            command("seed", "--url", url, "--users", "4", "--conversations", "3", "--messages", "40")
            with urllib.request.urlopen(url) as page:
                assert b"<title>" in page.read(), "the web client is not served"
        written = sorted(path.name for path in volume.iterdir())
        assert all(name.startswith("natter.db") for name in written) and written, f"the volume has {written}"


def is_refused(image, volume):
    """That this check could fail: the root cannot be written, and its user is no one."""
    shutil.copy2("/bin/sh", image["root"] / "usr/local/bin/probe")
    for path in needed("/bin/sh").values():
        shutil.copy2(path, image["root"] / path.lstrip("/"))
    probe = {**image, "ENTRYPOINT": '["probe"]'}
    for script, refused in [("echo > /written", True), ("echo > /usr/local/bin/natter", True), ("echo > /data/probe", False)]:
        done = subprocess.run(container(probe, volume, ["-c", script]), capture_output=True, text=True)
        assert (done.returncode != 0) == refused, f"{script} in the container: {done}"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def main():
    with tempfile.TemporaryDirectory(prefix="natter-image-") as folder:
        scratch = pathlib.Path(folder)
        found = stages()
        build = Build(scratch, sys.argv[1], found)
        built = [build.stage(*stage) for stage in found]
        image = built[-1]
        complete(image)
        serve(image, scratch)
        is_refused(image, scratch / "volume")
    print("the stages of the Dockerfile do what they say, and the program runs in the last one: read-only, without rights")


main()
