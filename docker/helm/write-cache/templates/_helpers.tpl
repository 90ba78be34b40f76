{{- define "write-cache.name" -}}
{{ .Values.nameOverride | default .Chart.Name | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- define "write-cache.fullname" -}}
{{- $name := include "write-cache.name" . -}}
{{- if .Values.fullnameOverride -}}
{{ .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains $name .Release.Name -}}
{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" }}
{{- end -}}
{{- end }}

{{- define "write-cache.labels" -}}
app.kubernetes.io/part-of: write-cache
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "write-cache.serviceAccount" -}}
{{ .Values.serviceAccount.name | default (include "write-cache.fullname" .) }}
{{- end }}

{{/* The services that are on: a list of objects with `root`, `name`, `fullname` and `values`, as JSON. */}}
{{- define "write-cache.services" -}}
{{- $root := . -}}
{{- $services := list -}}
{{- $common := omit .Values "writeThrough" "writeBehind" "global" -}}
{{- range $key, $name := dict "writeThrough" "write-through" "writeBehind" "write-behind" -}}
{{- $values := mergeOverwrite (deepCopy $common) (deepCopy (get $root.Values $key)) -}}
{{- if $values.enabled -}}
{{- $fullname := printf "%s-%s" (include "write-cache.fullname" $root) $name -}}
{{- $services = append $services (dict "name" $name "fullname" $fullname "values" $values) -}}
{{- end -}}
{{- end -}}
{{ toJson (dict "services" $services) }}
{{- end }}

{{- define "write-cache.selector" -}}
app.kubernetes.io/name: {{ .service.name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end }}

{{/* A number of values is a float, which must not become 4e+09. */}}
{{- define "write-cache.text" -}}
{{- if kindIs "float64" . -}}
{{- if eq (floor .) . }}{{ int64 . }}{{ else }}{{ . }}{{ end -}}
{{- else }}{{ . }}{{ end -}}
{{- end }}

{{- define "write-cache.scheme" -}}
{{ hasKey .settings "TLS_CERT_FILE" | ternary "HTTPS" "HTTP" }}
{{- end }}
