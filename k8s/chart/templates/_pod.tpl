{{/* What the container of every role has: {root, role, own}. */}}
{{- define "natter.container" -}}
image: {{ include "natter.image" .root | quote }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
env:
  {{- include "natter.env" . | nindent 2 }}
resources:
  {{- toYaml .own.resources | nindent 2 }}
{{- with (include "natter.files" . | fromYaml).files }}
volumeMounts:
  {{- range . }}
  - { name: {{ printf "file-%s" .name | quote }}, mountPath: {{ printf "/etc/natter/%s" .name | quote }}, readOnly: true }
  {{- end }}
{{- end }}
{{- end -}}

{{/* What the pod of every role has besides its container. */}}
{{- define "natter.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  seccompProfile: { type: RuntimeDefault }
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .own.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .own.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with (include "natter.files" . | fromYaml).files }}
volumes:
  {{- range . }}
  - name: {{ printf "file-%s" .name | quote }}
    {{- if .configMap }}
    configMap: { name: {{ .configMap | quote }} }
    {{- else }}
    secret: { secretName: {{ .secret | quote }}, defaultMode: 0440 }
    {{- end }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* Over zones, then over nodes; a cluster with one of either still runs. */}}
{{- define "natter.spread" -}}
{{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
- maxSkew: 1
  topologyKey: {{ $key }}
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels:
      {{- include "natter.selector" $.root | nindent 6 }}
      app.kubernetes.io/component: {{ $.component }}
{{- end }}
{{- end -}}

{{/* What a drain takes besides the time clients have to leave (DRAIN in runtime/src/lifecycle.rs), and what it may take to
close the store and to exit. */}}
{{- define "natter.workSeconds" -}}10{{- end -}}
{{- define "natter.grace" -}}
{{- add (int .preStopSeconds) (int .drainSeconds) (include "natter.workSeconds" . | int) 10 -}}
{{- end -}}

{{- define "natter.adminScheme" -}}
{{- include "natter.setting" (merge (dict "name" "ADMIN_TLS_CERT" "default" "") .) | empty | ternary "HTTP" "HTTPS" -}}
{{- end -}}

{{- define "natter.adminPort" -}}
{{- include "natter.setting" (merge (dict "name" "ADMIN_PORT" "default" "9464") .) -}}
{{- end -}}

{{- define "natter.port" -}}
{{- include "natter.setting" (merge (dict "name" "PORT" "default" "3000") .) -}}
{{- end -}}

{{/* The start waits for NATS and the store, up to five minutes; then half a minute without an answer is a fault. */}}
{{- define "natter.aliveProbes" -}}
startupProbe:
  httpGet: { path: /health/live, port: admin, scheme: {{ include "natter.adminScheme" . }} }
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 60
livenessProbe:
  httpGet: { path: /health/live, port: admin, scheme: {{ include "natter.adminScheme" . }} }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
{{- end -}}
