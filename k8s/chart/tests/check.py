"""Renders the chart with each set of values, and checks what comes out; see scripts/check-chart."""
import concurrent.futures, json, os, pathlib, re, subprocess, sys, tempfile

import kubernetes_validate, yaml

KUBERNETES = "1.37.0"
CHART = pathlib.Path("k8s/chart")
MINIMAL = CHART / "tests/values/minimal.yaml"
HELMS = [".deps/bin/helm3", ".deps/bin/helm4"]
SCHEMAS = pathlib.Path(kubernetes_validate.__file__).resolve().parent / f"kubernetes-json-schema/v{KUBERNETES}-local-strict"
# Kinds that Kubernetes itself has no schema of.
FOREIGN = {"HTTPRoute", "PrometheusRule", "ScaledObject", "ServiceMonitor"}
KINDS = ["configmap-v1", "deployment-apps-v1", "horizontalpodautoscaler-autoscaling-v2", "ingress-networking-v1", "job-batch-v1",
         "networkpolicy-networking-v1", "poddisruptionbudget-policy-v1", "service-v1", "serviceaccount-v1"]
SECRET = re.compile("JWT_|CHAT_MESSAGE_|CHAT_KMS_|KAFKA_|OIDC_|SMTP_|DATABASE_URL$")
# Which of those a role may have.
MAY = {"edge": "JWT_", "worker": "JWT_|CHAT_|KAFKA_|OIDC_|SMTP_|DATABASE_URL$", "migrate": "DATABASE_URL$"}


def bundle(folder):
    """Schemas for kubeconform, which resolves no reference to another file of theirs: each with all definitions."""
    definitions = json.loads((SCHEMAS / "_definitions.json").read_text().replace("/api/_definitions.json#", "#"))["$defs"]
    for name in KINDS:
        schema = json.loads((SCHEMAS / f"{name}.json").read_text().replace("/api/_definitions.json#", "#"))
        schema.pop("$id", None)
        (folder / f"{name}.json").write_text(json.dumps({**schema, "$defs": definitions}))


def run(*command):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True)


def helm(program, command, *files):
    given = [part for file in files for part in ("--values", file)]
    if command == "lint":
        return run(program, "lint", "--strict", "--kube-version", KUBERNETES, CHART, *given)
    return run(program, "template", "chat", CHART, "--namespace", "chat", "--kube-version", KUBERNETES, *given)


def pods(documents):
    for document in documents:
        if document["kind"] in ("Deployment", "Job"):
            yield document, document["spec"]["template"]


def wrong_with_pod(document, template):
    """What a namespace that enforces the restricted profile would refuse, and what a role must not know."""
    spec, role = template["spec"], template["metadata"]["labels"]["natter/role"]
    (container,) = spec["containers"]
    inside, outside = container["securityContext"], spec["securityContext"]
    if not outside["runAsNonRoot"] or outside["runAsUser"] == 0 or outside["seccompProfile"]["type"] != "RuntimeDefault":
        yield "runs as root, or without seccomp"
    if inside["allowPrivilegeEscalation"] or inside["capabilities"] != {"drop": ["ALL"]} or not inside["readOnlyRootFilesystem"]:
        yield "has rights, or writes to its root"
    if spec["automountServiceAccountToken"]:
        yield "gets a token of the API server"
    if not {"cpu", "memory"} <= container["resources"]["requests"].keys() or "memory" not in container["resources"]["limits"]:
        yield "has no bounds of CPU and memory"
    names = [entry["name"] for entry in container["env"]]
    if len(names) != len(set(names)):
        yield "has a setting twice"
    yield from (f"has {name}" for name in names if SECRET.match(name) and not re.match(MAY[role], name))
    for entry in container["env"]:
        if not isinstance(entry.get("value", ""), str) or "e+" in entry.get("value", ""):
            yield f"{entry['name']} is {entry['value']!r}"
    mounted = {mount["mountPath"] for mount in container.get("volumeMounts", [])}
    for entry in container["env"]:
        path = re.search(r"/etc/natter/[a-z-]+", entry.get("value", ""))
        if path and path[0] not in mounted:
            yield f"{entry['name']} is in {path[0]}, which is not mounted"
    if document["kind"] == "Deployment":
        wait = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        drain = [entry["value"] for entry in container["env"] if entry["name"] == "DRAIN_TIME"]
        if spec["terminationGracePeriodSeconds"] < wait + sum(int(value.rstrip("s")) for value in drain) + 20:
            yield "is killed before it has drained"
        if document["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] != 0:
            yield "goes before its successor is there"


def wrong_with_set(documents):
    """What belongs together over several documents."""
    by_kind = {}
    for document in documents:
        by_kind.setdefault(document["kind"], []).append(document)
    deployments = {d["metadata"]["name"]: d for d in by_kind["Deployment"]}
    scaled = [d["spec"]["scaleTargetRef"]["name"] for kind in ("HorizontalPodAutoscaler", "ScaledObject") for d in by_kind.get(kind, [])]
    for name, deployment in deployments.items():
        if ("replicas" in deployment["spec"]) == (name in scaled):
            yield f"{name}: replicas and an autoscaler, or neither"
        labels = deployment["spec"]["template"]["metadata"]["labels"].items()
        selectors = [d["spec"]["selector"]["matchLabels"] for d in by_kind["PodDisruptionBudget"]]
        if sum(selector.items() <= labels for selector in selectors) != 1:
            yield f"{name}: not exactly one PodDisruptionBudget"
    yield from (f"{name} is scaled, and no Deployment" for name in scaled if name not in deployments)
    # A hook is no part of the release and can need nothing of it that is created later.
    for document, template in pods(documents):
        if document["kind"] == "Job" and "serviceAccountName" in template["spec"]:
            yield "the migration needs a ServiceAccount that an install creates after it"
    yield from wrong_with_monitoring(by_kind)
    policies = by_kind.get("NetworkPolicy", [])
    if policies and not any(p["spec"]["policyTypes"] == ["Ingress", "Egress"] and not p["spec"].keys() & {"ingress", "egress"} for p in policies):
        yield "no policy denies everything"


def wrong_with_monitoring(by_kind):
    """Rules and dashboards are those of the files, to the last character."""
    for document in by_kind.get("PrometheusRule", []):
        files = sorted((CHART / "monitoring/rules").glob("*.yaml"))
        if document["spec"]["groups"] != [group for file in files for group in yaml.safe_load(file.read_text())["groups"]]:
            yield "the rules are not those of monitoring/rules"
    for document in by_kind.get("ConfigMap", []):
        files = (CHART / "monitoring/dashboards").glob("*.json")
        if document["data"] != {file.name: file.read_text() for file in files}:
            yield "the dashboards are not those of monitoring/dashboards"
        if "grafana_dashboard" not in document["metadata"]["labels"]:
            yield "no sidecar finds the dashboards"


def check(values, schemas):
    wrong, rendered = [], []
    for program in HELMS:
        lint, template = helm(program, "lint", values), helm(program, "template", values)
        if lint.returncode:
            wrong.append(f"{program} lint: {lint.stdout}{lint.stderr}")
        if template.returncode:
            return wrong + [f"{program} template: {template.stderr}"]
        rendered.append(template.stdout)
    documents = [d for d in yaml.safe_load_all(rendered[0]) if d]
    if key(documents) != key([d for d in yaml.safe_load_all(rendered[1]) if d]):
        wrong.append("Helm 3 and Helm 4 render different things")
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(rendered[0])
        file.flush()
        location = f"{schemas}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"
        conform = run(".deps/bin/kubeconform", "-strict", "-schema-location", location, "-skip", ",".join(sorted(FOREIGN)), file.name)
    if conform.returncode:
        wrong.append(f"kubeconform: {conform.stdout}{conform.stderr}")
    for document in documents:
        if document["kind"] not in FOREIGN:
            try:
                kubernetes_validate.validate(document, KUBERNETES, strict=True)
            except kubernetes_validate.ValidationError as error:
                wrong.append(f"{document['kind']} {document['metadata']['name']}: {error}")
    for document, template in pods(documents):
        wrong += [f"{document['metadata']['name']}: {fault}" for fault in wrong_with_pod(document, template)]
    return wrong + list(wrong_with_set(documents))


def key(documents):
    return sorted(yaml.safe_dump(document) for document in documents)


def merged(base, over):
    """As Helm merges values; null takes away."""
    both = {**base, **over}
    for name, value in over.items():
        if isinstance(value, dict) and isinstance(base.get(name), dict):
            both[name] = merged(base[name], value)
    # A default of the chart itself is taken away by null only.
    return {name: value for name, value in both.items() if value is not None or name not in base}


def check_refused(case):
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump(merged(yaml.safe_load(MINIMAL.read_text()), case["values"]), file)
        file.flush()
        for program in HELMS:
            result = helm(program, "template", file.name)
            if result.returncode == 0:
                return [f"{program} accepts {case['values']}"]
            if case["because"] not in result.stderr:
                return [f"{program} says '{result.stderr.strip()}' instead of '{case['because']}' to {case['values']}"]
    return []


def unit_tests():
    """The suites beside this file, by the program itself and not as a plugin, of which Helm 3 and 4 have different kinds."""
    result = run(".deps/bin/helm-unittest", "--strict", CHART)
    return [] if result.returncode == 0 else [f"helm-unittest: {result.stdout}{result.stderr}"]


def without_suite():
    """Templates of which no suite says what they render; what begins with _ renders nothing of its own."""
    suites = [s for file in (CHART / "tests").glob("*_test.yaml") for s in yaml.safe_load_all(file.read_text()) if s["tests"]]
    tested = {template for suite in suites for template in suite["templates"]}
    files = {file.name for file in (CHART / "templates").iterdir() if not file.name.startswith("_")}
    return [f"no suite of tests/*_test.yaml has templates/{name}" for name in sorted(files - tested)]


def documented():
    """The values that docs/operations.md has a newcomer write, and what of its Secrets is not what the values name."""
    (block,) = re.findall(r"```\n(kubectl create secret .*?)```", pathlib.Path("docs/operations.md").read_text(), re.DOTALL)
    values = re.search(r"cat > values\.yaml <<'END'\n(.*?)\nEND\n", block, re.DOTALL)[1]
    (secret,) = re.findall(r"kubectl create secret generic (\S+) --from-literal", block)
    made = {(secret, key) for key in re.findall(r"--from-literal=([a-z-]+)=", block)}
    named = set(re.findall(r"secret: ([a-z-]+), key: ([a-z-]+)", values))
    made |= {(name, "") for name in re.findall(r"kubectl create (?:configmap|secret generic) (\S+) --from-file", block)}
    named |= {(name, "") for name in re.findall(r"(?:configMap|secret): ([a-z-]+), roles:", values)}
    return values, [f"docs/operations.md: {entry} is in no Secret, or in no value" for entry in sorted(made ^ named)]


def main():
    sets = sorted((CHART / "tests/values").glob("*.yaml"))
    refused = yaml.safe_load((CHART / "tests/refused.yaml").read_text())
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        bundle(pathlib.Path(folder))
        units = pool.submit(unit_tests)
        values, wrong = documented()
        newcomer = pathlib.Path(folder) / "docs/operations.md"
        newcomer.parent.mkdir()
        newcomer.write_text(values)
        sets.append(newcomer)
        accepted = list(pool.map(lambda file: check(file, folder), sets))
        rejected = list(pool.map(check_refused, refused))
    wrong += [f"{file.name}: {fault}" for file, faults in zip(sets, accepted) for fault in faults]
    wrong += [fault for faults in rejected for fault in faults] + without_suite() + units.result()
    if wrong:
        sys.exit("the Helm chart:\n" + "\n".join(f"  {fault}" for fault in wrong))
    print(f"the Helm chart renders {len(sets)} sets of values and refuses {len(refused)}")


main()
