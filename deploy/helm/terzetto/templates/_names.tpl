{{- define "terzetto.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name }}{{ else }}{{ .Release.Name }}-{{ .Chart.Name }}{{ end -}}
{{- end }}

{{- define "terzetto.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "terzetto.labels" -}}
{{ include "terzetto.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "terzetto.several" -}}
{{ if gt (int .Values.replicas) 1 }}true{{ end }}
{{- end }}

{{/* supervisor.toml; several tell each other where they are by their pods' addresses, written in at the start. */}}
{{- define "terzetto.config" -}}
{{ .Values.config }}
{{- if include "terzetto.several" . }}

[cluster]
enabled = true
url = "http://@ADDRESS@:8080"
lease = {{ .Values.cluster.lease }}
drain = {{ .Values.cluster.drain }}
{{ end }}
{{- end }}

{{- define "terzetto.adminSecret" -}}
{{ .Values.adminKey.existingSecret | default (include "terzetto.name" .) }}
{{- end }}

{{- define "terzetto.adminSecretKey" -}}
{{ ternary .Values.adminKey.key "TERZETTO_ADMIN_KEY" (ne .Values.adminKey.existingSecret "") }}
{{- end }}
