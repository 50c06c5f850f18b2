{{/*
The environment of one role as a dict: NAME to {value} or {secret, key}. Takes {root, role, own}: what `own` sets wins.
A role gets no secret that it does not use.
*/}}
{{- define "natter.settings" -}}
{{- $all := dict "ADMIN_HOST" (dict "value" "0.0.0.0") -}}
{{- range $from := list .root.Values .own -}}
{{- range $name, $value := $from.settings -}}
{{- $_ := set $all $name (dict "value" (include "natter.text" $value)) -}}
{{- end -}}
{{- range $name, $ref := $from.secretSettings -}}
{{- $_ := set $all $name (dict "secret" $ref.secret "key" $ref.key) -}}
{{- end -}}
{{- end -}}
{{- if and (eq .role "edge") .own.tls.secret -}}
{{- $_ := set $all "TLS_CERT" (dict "value" "/etc/natter/tls/tls.crt") -}}
{{- $_ := set $all "TLS_KEY" (dict "value" "/etc/natter/tls/tls.key") -}}
{{- end -}}
{{- if eq .role "edge" -}}
{{- $_ := set $all "DRAIN_TIME" (dict "value" (printf "%ds" (int .own.drainSeconds))) -}}
{{- end -}}
{{- if .root.Values.adminTls.secret -}}
{{- $_ := set $all "ADMIN_TLS_CERT" (dict "value" "/etc/natter/admin-tls/tls.crt") -}}
{{- $_ := set $all "ADMIN_TLS_KEY" (dict "value" "/etc/natter/admin-tls/tls.key") -}}
{{- end -}}
{{- $store := "^(DATABASE_URL|KAFKA_.*|AUDIT_.*|CHAT_MESSAGE_.*|CHAT_KMS_.*|OIDC_.*|MAIL_.*|SMTP_.*|PASSWORD_LOGIN|PUBLIC_URL|CALL_PROOF)$" -}}
{{- $tokens := "^(JWT_SECRETS?(_FILE)?|JWT_PRIVATE_KEY|JWT_PUBLIC_KEYS)$" -}}
{{- $public := "^(TLS_CERT|TLS_KEY)$" -}}
{{- $unused := dict "edge" $store "worker" $public "migrate" (printf "%s|%s|^(KAFKA|CHAT|REDIS|ADMIN_TLS|AUDIT|OIDC|MAIL|SMTP)_.*$|^(PASSWORD_LOGIN|CALL_PROOF)$" $tokens $public) -}}
{{- range $name := keys $all -}}
{{- if regexMatch (get $unused $.role) $name -}}
{{- $_ := unset $all $name -}}
{{- end -}}
{{- end -}}
{{- toYaml $all -}}
{{- end -}}

{{/* The same as `env` of a container, by name. */}}
{{- define "natter.env" -}}
{{- $all := include "natter.settings" . | fromYaml -}}
{{- range $name := keys $all | sortAlpha }}
{{- $from := get $all $name }}
- name: {{ $name }}
  {{- if hasKey $from "secret" }}
  valueFrom:
    secretKeyRef: { name: {{ $from.secret | quote }}, key: {{ $from.key | quote }} }
  {{- else }}
  value: {{ $from.value | quote }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* A setting's value if it is in the values: {root, role, own, name, default}. */}}
{{- define "natter.setting" -}}
{{- $all := include "natter.settings" . | fromYaml -}}
{{- dig .name "value" .default $all -}}
{{- end -}}

{{- define "natter.files" -}}
{{- $files := list -}}
{{- range $file := .root.Values.files -}}
{{- if has $.role $file.roles -}}
{{- $files = append $files $file -}}
{{- end -}}
{{- end -}}
{{- if and (eq .role "edge") .own.tls.secret -}}
{{- $files = append $files (dict "name" "tls" "secret" .own.tls.secret) -}}
{{- end -}}
{{- if and (ne .role "migrate") .root.Values.adminTls.secret -}}
{{- $files = append $files (dict "name" "admin-tls" "secret" .root.Values.adminTls.secret) -}}
{{- end -}}
{{- toYaml (dict "files" $files) -}}
{{- end -}}

{{/* Numbers of values files are floating-point: without this 536870912 would become 5.36870912e+08. */}}
{{- define "natter.text" -}}
{{- if kindIs "float64" . -}}{{- printf "%.0f" . -}}{{- else -}}{{- toString . -}}{{- end -}}
{{- end -}}
