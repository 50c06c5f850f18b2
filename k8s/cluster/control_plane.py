"""A control plane of Kubernetes on this machine: see scripts/fetch-cluster."""
import contextlib, pathlib, socket, subprocess, sys, time

BIN = pathlib.Path(".deps/bin").resolve()
CLUSTER = pathlib.Path(".deps/cluster").resolve()
STAGES = pathlib.Path("k8s/cluster/stages.yaml").resolve()
START_SECONDS = 180
NODES = ["one", "two", "three"]


def until(what, condition, seconds=START_SECONDS):
    end = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > end:
            sys.exit(f"after {seconds} s: {what}")
        time.sleep(0.2)
    return found


def free_ports(count):
    with contextlib.ExitStack() as stack:
        taken = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in taken:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in taken]


def certificates(folder):
    """An authority, the certificate of the API server, one of an administrator, and the key of service accounts' tokens."""

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl("req", "-x509", *ec, "-keyout", "ca.key", "-out", "ca.crt", "-days", "2", "-subj", "/CN=ca",
            "-addext", "keyUsage=critical,keyCertSign")
    for name, subject, extension in [
        ("server", "/CN=kube-apiserver", "subjectAltName=IP:127.0.0.1,IP:10.0.0.1,DNS:localhost,DNS:kubernetes.default.svc"),
        ("admin", "/O=system:masters/CN=admin", "extendedKeyUsage=clientAuth"),
    ]:
        openssl("req", *ec, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", subject, "-addext", extension)
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
                "-out", f"{name}.crt", "-days", "2", "-copy_extensions", "copy")
    openssl("genrsa", "-out", "accounts.key", "2048")


def kubeconfig(folder, port):
    path = folder / "kubeconfig"
    path.write_text(f"""apiVersion: v1
kind: Config
current-context: test
contexts: [{{ name: test, context: {{ cluster: test, user: admin }} }}]
clusters: [{{ name: test, cluster: {{ server: "https://127.0.0.1:{port}", certificate-authority: {folder}/ca.crt }} }}]
users: [{{ name: admin, user: {{ client-certificate: {folder}/admin.crt, client-key: {folder}/admin.key }} }}]
""")
    return path


def commands(folder, config, etcd, api):
    """Each program with its arguments, in the order in which they start."""
    yield "kine", ["--endpoint", f"sqlite://{folder}/state.db?_journal=WAL&cache=shared&_busy_timeout=30000",
                   "--listen-address", f"127.0.0.1:{etcd}", "--metrics-bind-address", "0"]
    yield "kube-apiserver", [
        f"--etcd-servers=http://127.0.0.1:{etcd}", "--bind-address=127.0.0.1", f"--secure-port={api}",
        f"--cert-dir={folder}", f"--tls-cert-file={folder}/server.crt", f"--tls-private-key-file={folder}/server.key",
        f"--client-ca-file={folder}/ca.crt", "--authorization-mode=RBAC", "--service-cluster-ip-range=10.0.0.0/24",
        "--service-account-issuer=https://kubernetes.default.svc", f"--service-account-key-file={folder}/accounts.key",
        f"--service-account-signing-key-file={folder}/accounts.key", "--endpoint-reconciler-type=none"]
    inner = [f"--kubeconfig={config}", f"--authentication-kubeconfig={config}", f"--authorization-kubeconfig={config}",
             "--leader-elect=false", "--secure-port=0"]
    yield "kube-controller-manager", [*inner, f"--root-ca-file={folder}/ca.crt",
                                      f"--service-account-private-key-file={folder}/accounts.key"]
    yield "kube-scheduler", inner
    yield "kwok", [f"--kubeconfig={config}", "--manage-all-nodes", "--node-lease-duration-seconds=40",
                   "--config", str(STAGES), *[part for file in sorted((CLUSTER / "stages").iterdir()) for part in ("--config", str(file))]]


@contextlib.contextmanager
def control_plane(folder):
    """Starts it in an empty folder, where its logs are, and gives the path of its kubeconfig."""
    certificates(folder)
    etcd, api = free_ports(2)
    config = kubeconfig(folder, api)
    running = {}
    try:
        for name, arguments in commands(folder, config, etcd, api):
            log = (folder / f"{name}.log").open("w")
            running[name] = subprocess.Popen([BIN / name, *arguments], stdout=log, stderr=log, cwd=folder)
            if name == "kube-apiserver":
                until(f"the API server is not ready, see {folder}", lambda: ready(running, folder, config))
        add_nodes(config)
        yield config
    finally:
        for process in reversed(running.values()):
            process.terminate()
        for process in running.values():
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def ready(running, folder, config):
    for name, process in running.items():
        if process.poll() is not None:
            sys.exit(f"{name} has ended:\n" + "".join((folder / f"{name}.log").open().readlines()[-15:]))
    return kubectl(config, "get", "--raw", "/readyz", check=False).returncode == 0


def kubectl(config, *arguments, given=None, check=True):
    command = [CLUSTER / "bin/kubectl", "--kubeconfig", config, *arguments]
    result = subprocess.run(command, input=given, capture_output=True, text=True)
    if check and result.returncode:
        sys.exit(f"kubectl {' '.join(map(str, arguments))}: {result.stderr}")
    return result


def add_nodes(config):
    """In zones of their own, as the spread of pods wants them."""
    for name in NODES:
        labels = f"{{ kubernetes.io/hostname: {name}, topology.kubernetes.io/zone: {name}, kubernetes.io/arch: amd64 }}"
        kubectl(config, "create", "-f", "-", given=f"{{ apiVersion: v1, kind: Node, metadata: {{ name: {name}, labels: {labels} }} }}")
    wait = ["wait", "node", "--all", "--for=condition=Ready", f"--timeout={START_SECONDS}s"]
    kubectl(config, *wait)
