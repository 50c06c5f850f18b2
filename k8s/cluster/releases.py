"""The chart on a real API server, by Helm 3 and 4: see scripts/k8s-test. Pods say that they run, and run nothing."""
import json, pathlib, shutil, subprocess, sys, tempfile, threading, time

import yaml

import control_plane
from control_plane import BIN, CLUSTER, kubectl, until

# Of the last run: what each program of the control plane logged.
STATE = pathlib.Path(".deps/cluster-state").resolve()
CHART = pathlib.Path("k8s/chart").resolve()
PLAIN = CHART / "tests/values/ingress.yaml"
EVERYTHING = [CHART / "tests/values/autoscaled.yaml", pathlib.Path("k8s/cluster/everything.yaml").resolve()]
INSTANCE = "app.kubernetes.io/instance=chat"
WAIT = ["--wait", "--timeout", "120s"]
NAMESPACE = """
apiVersion: v1
kind: Namespace
metadata:
  name: {0}
  labels: {{ pod-security.kubernetes.io/enforce: restricted, pod-security.kubernetes.io/warn: restricted }}
---
apiVersion: v1
kind: Secret
metadata: {{ name: natter, namespace: {0} }}
stringData: {{ jwt: 0123456789abcdef0123456789abcdef }}
"""


def expect(true, otherwise):
    if not true:
        sys.exit(otherwise)


def previous_chart(folder):
    """That of the last release (scripts/previous)."""
    commit = pathlib.Path("scripts/previous").read_text().strip()
    archive = subprocess.run(["git", "archive", commit, "k8s/chart"], capture_output=True)
    expect(archive.returncode == 0, f"this clone has no chart of {commit}: git fetch --unshallow --tags")
    subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)
    return folder / "k8s/chart"


class Space:
    """A namespace that enforces the restricted profile, and the release `chat` in it."""

    def __init__(self, config, name):
        self.config, self.name = config, name
        kubectl(config, "apply", "-f", "-", given=NAMESPACE.format(name))

    def kubectl(self, *arguments, **options):
        return kubectl(self.config, "--namespace", self.name, *arguments, **options)

    def get(self, *what, **options):
        return json.loads(self.kubectl("get", *what, "--output", "json", **options).stdout)

    def helm(self, program, *arguments, check=True):
        command = [BIN / program, "--kubeconfig", self.config, "--namespace", self.name, *arguments]
        result = subprocess.run(command, capture_output=True, text=True)
        said = result.stdout + result.stderr
        expect(not check or result.returncode == 0, f"{program} {' '.join(map(str, arguments))}: {said}")
        expect("PodSecurity" not in said, f"{program}: a pod of the chart is not restricted: {said}")
        return result

    def has_its_objects(self, program, kinds):
        manifest = self.helm(program, "get", "manifest", "chat").stdout
        self.kubectl("get", "--filename", "-", given=manifest)
        rendered = {document["kind"] for document in yaml.safe_load_all(manifest) if document}
        expect(rendered >= kinds, f"{program}: no {kinds - rendered} in the release")

    def deployments(self):
        return {d["metadata"]["name"]: d for d in self.get("deployments", "--selector", INSTANCE)["items"]}

    def is_protected(self):
        """Selectors of budgets and of the Service find the pods."""

        def found():
            budgets = [d["status"] for d in self.get("poddisruptionbudgets", "--selector", INSTANCE)["items"]]
            slices = self.get("endpointslices", "--selector", "kubernetes.io/service-name=chat-natter")["items"]
            serving = [e for s in slices for e in s.get("endpoints") or [] if e["conditions"]["ready"]]
            pods = {name: d["spec"]["replicas"] for name, d in self.deployments().items()}
            protected = len(budgets) == len(pods) and all(b["expectedPods"] >= 2 and b["disruptionsAllowed"] == 1 for b in budgets)
            return protected and len(serving) == pods["chat-natter-edge"]

        until(f"{self.name}: budgets or the Service do not find the pods", found, 30)

    def left(self):
        """Whatever has a label of the release or belongs to Helm, of all kinds that the API server lists."""
        kinds = kubectl(self.config, "api-resources", "--verbs=list", "--output=name").stdout.split()
        kinds = ",".join(kind for kind in kinds if not kind.startswith("events"))
        one = kubectl(self.config, "get", kinds, "--all-namespaces", "--selector", INSTANCE, "--output=name").stdout
        return one.split() + self.kubectl("get", "secrets", "--selector", "owner=helm", "--output=name").stdout.split()


class Watch:
    """How many pods of each Deployment are available, at the least, while something is done."""

    def __init__(self, space):
        self.space, self.least, self.ended = space, {}, threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.ended.is_set():
            for name, deployment in self.space.deployments().items():
                available = deployment["status"].get("availableReplicas", 0)
                self.least[name] = min(available, self.least.get(name, available))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()


def values(*files):
    return [part for file in files for part in ("--values", file)]


def life_of_a_release(space, program, after, previous):
    """Installed by one Helm, and everything after it by another."""
    space.helm(program, "install", "chat", previous, *values(PLAIN), *WAIT)
    space.is_protected()
    with Watch(space) as watch:
        space.helm(after, "upgrade", "chat", CHART, *values(PLAIN), "--set", "image.tag=next", *WAIT)
    expect(min(watch.least.values()) >= 2, f"{after}: fewer pods during an upgrade: {watch.least}")
    space.has_its_objects(after, {"Deployment", "Ingress", "NetworkPolicy", "PodDisruptionBudget", "Service", "ServiceAccount"})
    migrated = [e for e in space.get("events")["items"] if e["reason"] == "Completed" and e["involvedObject"]["name"] == "chat-natter-migrate"]
    expect(len(migrated) >= 2, f"{program}: the migration did not run at the install and at the upgrade")

    before = {name: d["spec"]["template"] for name, d in space.deployments().items()}
    older = ["--set", "image.tag=older", "--set", "migrate.activeDeadlineSeconds=5"]
    refused = space.helm(after, "upgrade", "chat", CHART, *values(PLAIN), *older, *WAIT, check=False)
    expect(refused.returncode != 0, f"{after}: an upgrade whose migration is refused succeeds")
    now = {name: d["spec"]["template"] for name, d in space.deployments().items()}
    expect(now == before, f"{after}: processes were replaced although the migration was refused")
    space.kubectl("get", "job", "chat-natter-migrate")

    space.helm(after, "upgrade", "chat", CHART, *values(*EVERYTHING), *WAIT)
    kinds = {"ConfigMap", "HTTPRoute", "HorizontalPodAutoscaler", "PrometheusRule", "ScaledObject", "ServiceMonitor"}
    space.has_its_objects(after, kinds)
    until("the autoscaler does not find its Deployment", lambda: able_to_scale(space), 60)
    expect(not space.get("jobs")["items"], f"{after}: a migration that has succeeded stays")

    space.helm(after, "rollback", "chat", "1", *WAIT)
    images = {d["spec"]["template"]["spec"]["containers"][0]["image"] for d in space.deployments().values()}
    expect(images == {"natter:0.1.0"}, f"{after}: a rollback leaves {images}")
    expect(not space.get("horizontalpodautoscalers,scaledobjects,httproutes")["items"], f"{after}: a rollback leaves what was added")
    space.is_protected()

    space.helm(after, "uninstall", "chat", *WAIT)
    until(f"{after}: an uninstall leaves something", lambda: not space.left(), 60)
    space.kubectl("get", "secret", "natter")


def scaled_by_others(space):
    """Helm 4 overwrites no number that someone else has set, and an autoscaler that is switched on begins with that number."""
    space.helm("helm4", "install", "chat", CHART, *values(PLAIN), *WAIT)
    for name in space.deployments():
        space.kubectl("scale", f"deployment/{name}", "--replicas=3")
        space.kubectl("rollout", "status", f"deployment/{name}", "--timeout=60s")
    conflicts(space, "upgrade", "chat", CHART, *values(PLAIN), *WAIT)
    with Watch(space) as watch:
        space.helm("helm4", "upgrade", "chat", CHART, *values(*EVERYTHING), *WAIT)
    expect(min(watch.least.values()) == 3, f"fewer pods when autoscalers are switched on: {watch.least}")
    conflicts(space, "rollback", "chat", "1", *WAIT)
    space.helm("helm4", "rollback", "chat", "1", "--force-conflicts", *WAIT)
    replicas = {d["spec"]["replicas"] for d in space.deployments().values()}
    expect(replicas == {2}, f"replicas are {replicas} after a rollback by force")


def conflicts(space, *arguments):
    result = space.helm("helm4", *arguments, check=False)
    expect(result.returncode != 0 and ".spec.replicas" in result.stderr, f"{arguments[0]}: no conflict over replicas: {result.stderr}")


def able_to_scale(space):
    (autoscaler,) = space.get("horizontalpodautoscalers")["items"]
    conditions = autoscaler.get("status", {}).get("conditions") or []
    return any(c["type"] == "AbleToScale" and c["status"] == "True" for c in conditions)


def applied_by_kubectl(space, files, fixed):
    """Server-side apply: the same again changes nothing; after someone else has scaled edges, fixed `replicas` conflict."""
    manifest = space.helm("helm4", "template", "chat", CHART, "--no-hooks", *values(*files)).stdout
    apply = ["apply", "--server-side", "--filename", "-"]
    said = space.kubectl(*apply, given=manifest).stderr
    expect("PodSecurity" not in said, f"a pod of the chart is not restricted: {said}")
    space.kubectl("rollout", "status", "deployment/chat-natter-edge", "--timeout=60s")

    def managed():
        listed = space.get("--show-managed-fields", "--filename", "-", given=manifest)["items"]
        fields = {(d["kind"], d["metadata"]["name"]): d["metadata"]["managedFields"] for d in listed}
        return {of: [field for field in all_of if field["operation"] == "Apply"] for of, all_of in fields.items()}

    first = managed()
    space.kubectl(*apply, given=manifest)
    expect(managed() == first, "the same applied again changes objects")
    space.kubectl("scale", "deployment/chat-natter-edge", "--replicas=7")
    again = space.kubectl(*apply, given=manifest, check=False)
    if fixed:
        expect(again.returncode != 0 and ".spec.replicas" in again.stderr, f"no conflict over replicas: {again.stderr}")
    else:
        expect(again.returncode == 0, f"a conflict although an autoscaler has the replicas: {again.stderr}")
        expect(space.deployments()["chat-natter-edge"]["spec"]["replicas"] == 7, "replicas are not left to the autoscaler")


def refuses_pods_of_other_kinds(space):
    """The namespace does enforce the profile; otherwise that the chart's pods are accepted would say nothing."""
    result = space.kubectl("run", "root", "--image=natter", check=False)
    expect(result.returncode != 0 and "restricted" in result.stderr, f"a pod that may run as root is accepted: {result.stderr}")


def main():
    began = time.monotonic()
    shutil.rmtree(STATE, ignore_errors=True)
    STATE.mkdir()
    with tempfile.TemporaryDirectory() as scratch:
        previous = previous_chart(pathlib.Path(scratch))
        with control_plane.control_plane(STATE) as config:
            kubectl(config, "apply", "--server-side", "--filename", CLUSTER / "crds")
            kubectl(config, "wait", "crd", "--all", "--for=condition=Established", "--timeout=60s")
            refuses_pods_of_other_kinds(Space(config, "closed"))
            applied_by_kubectl(Space(config, "fixed"), [PLAIN], fixed=True)
            applied_by_kubectl(Space(config, "scaled"), EVERYTHING, fixed=False)
            scaled_by_others(Space(config, "others"))
            kubectl(config, "delete", "namespace", "fixed", "scaled", "others", "--wait")
            for program, after in [("helm3", "helm3"), ("helm4", "helm4"), ("helm3", "helm4")]:
                life_of_a_release(Space(config, f"{program}-{after}"), program, after, previous)
                print(f"installed by {program}, then {after}: upgraded, refused, rolled back, removed", flush=True)
    print(f"the Helm chart on an API server: {time.monotonic() - began:.0f} s")


main()
