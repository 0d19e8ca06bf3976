{{/* The name of the webhook's objects. Arguments: the settings and the root. */}}
{{- define "akv.webhookName" -}}
{{- printf "%s-webhook" (include "akv.fullname" . | trunc 50 | trimSuffix "-") -}}
{{- end -}}

{{/* The name of its objects that have no namespace. It is unique among the releases of all namespaces. */}}
{{- define "akv.webhookClusterName" -}}
{{- printf "%s-%s" (include "akv.webhookName" .) .root.Release.Namespace -}}
{{- end -}}

{{/* The name of its ServiceAccount. */}}
{{- define "akv.webhookServiceAccount" -}}
{{- default (include "akv.webhookName" .) .settings.webhook.serviceAccountName -}}
{{- end -}}

{{/* The labels that select its pods. The label `app` differs from that of the DaemonSet. */}}
{{- define "akv.webhookSelector" -}}
{{- dict
  "app" (printf "%s-webhook" (include "akv.name" .settings | trunc 50 | trimSuffix "-"))
  "app.kubernetes.io/name" .root.Chart.Name
  "app.kubernetes.io/instance" .root.Release.Name
  "app.kubernetes.io/component" "webhook" | toYaml -}}
{{- end -}}

{{/* The labels of its objects. */}}
{{- define "akv.webhookLabels" -}}
{{- merge (include "akv.webhookSelector" . | fromYaml) (include "akv.labels" . | fromYaml) | toYaml -}}
{{- end -}}

{{/* The Secret of its certificate. */}}
{{- define "akv.webhookSecret" -}}
{{- $certificate := .settings.webhook.certificate -}}
{{- if eq $certificate.source "secret" -}}{{- $certificate.secret -}}
{{- else -}}{{- printf "%s-%s" (include "akv.webhookName" .) (ternary "ca" "tls" (eq $certificate.source "chart")) -}}
{{- end -}}
{{- end -}}

{{/* The names under which the API server calls it, as a list in JSON. */}}
{{- define "akv.webhookHosts" -}}
{{- $name := include "akv.webhookName" . -}}
{{- list (printf "%s.%s.svc" $name .root.Release.Namespace) (printf "%s.%s.svc.cluster.local" $name .root.Release.Namespace) | toJson -}}
{{- end -}}

{{/* The arguments of `akv-csi webhook` as a YAML list. `extraArgs` are last and override. */}}
{{- define "akv.webhookArgs" -}}
{{- $settings := .settings -}}
{{- $webhook := $settings.webhook -}}
{{- $args := list
  (printf "--port=%d" (int $webhook.port))
  (printf "--healthz-port=%d" (int $webhook.healthzPort))
  (printf "--prometheus-port=%d" (int $webhook.metricsPort))
  (printf "--validation=%s" $webhook.validation.action)
  (printf "--provider-names=%s" $settings.providerName)
  (printf "--watch-image=%s" (include "akv.image" .)) -}}
{{- if eq $webhook.certificate.source "chart" -}}
{{- $args = append $args "--ca-dir=/etc/akv-csi/webhook" -}}
{{- $args = append $args (include "akv.webhookHosts" . | fromJsonArray | join "," | printf "--dns-names=%s") -}}
{{- else -}}
{{- $args = append $args "--cert-dir=/etc/akv-csi/webhook" -}}
{{- end -}}
{{- with $settings.cloudName -}}{{- $args = append $args (printf "--cloud-name=%s" .) -}}{{- end -}}
{{- if $settings.logFormatJSON -}}{{- $args = append $args "--log-format-json=true" -}}{{- end -}}
{{- if $settings.logVerbosity -}}{{- $args = append $args (printf "-v=%d" (int $settings.logVerbosity)) -}}{{- end -}}
{{- toYaml (concat $args $webhook.extraArgs) -}}
{{- end -}}

{{/*
The authority of the certificate, as JSON: {data, annotations} of its Secret. That of the cluster is kept for half of its
life of ten years. Then an upgrade makes another one, and the Secret and the webhook configurations have both for a day.
*/}}
{{- define "akv.webhookAuthority" -}}
{{- $found := lookup "v1" "Secret" .root.Release.Namespace (include "akv.webhookSecret" .) | default dict -}}
{{- $old := $found.data | default dict -}}
{{- $now := now | unixEpoch | int64 -}}
{{- $made := dig "metadata" "annotations" "akv-csi/made-at" "0" $found | int64 -}}
{{- $data := dict -}}
{{- if and (index $old "ca.crt") (index $old "ca.key") (lt $now (add $made 157680000)) -}}
  {{- $data = pick $old "ca.crt" "ca.key" -}}
  {{- if lt $now (add $made 86400) -}}{{- $data = merge $data (pick $old "previous.crt") -}}{{- end -}}
{{- else -}}
  {{- $authority := genCA (include "akv.webhookName" . | printf "%s-ca" | trunc 63) 3650 -}}
  {{- $data = dict "ca.crt" (b64enc $authority.Cert) "ca.key" (b64enc $authority.Key) -}}
  {{- with index $old "ca.crt" -}}{{- $_ := set $data "previous.crt" . -}}{{- end -}}
  {{- $made = $now -}}
{{- end -}}
{{- dict "data" $data "annotations" (dict "akv-csi/made-at" (printf "%d" $made)) | toJson -}}
{{- end -}}

{{/* The part that all webhooks of the chart share. Arguments: the root, the settings, the path and the CA bundle. */}}
{{- define "akv.webhookCommon" -}}
{{- $webhook := .settings.webhook -}}
{{- $selector := $webhook.namespaceSelector -}}
{{- $excluded := append $webhook.excludedNamespaces .root.Release.Namespace | uniq | sortAlpha -}}
{{- $rule := dict "key" "kubernetes.io/metadata.name" "operator" "NotIn" "values" $excluded -}}
clientConfig:
  service:
    name: {{ include "akv.webhookName" . }}
    namespace: {{ .root.Release.Namespace }}
    path: {{ .path }}
    port: 443
  {{- with .caBundle }}
  caBundle: {{ . }}
  {{- end }}
admissionReviewVersions: [v1]
sideEffects: None
timeoutSeconds: {{ int $webhook.timeoutSeconds }}
namespaceSelector:
  {{- with $selector.matchLabels }}
  matchLabels:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  matchExpressions:
    {{- concat (list $rule) ($selector.matchExpressions | default list) | toYaml | nindent 4 }}
{{- end -}}

{{/* Returns the messages about values of the webhook that contradict each other, as a JSON list. Argument: the settings. */}}
{{- define "akv.checkWebhook" -}}
{{- $wrong := list -}}
{{- $webhook := .webhook -}}
{{- $certificate := $webhook.certificate -}}
{{- if not (or $webhook.validation.enabled $webhook.mutation.enabled) -}}
{{- $wrong = append $wrong "webhook: both validation.enabled and mutation.enabled are false; set one of them, or webhook.enabled to false" -}}
{{- end -}}
{{- $isSecret := eq $certificate.source "secret" -}}
{{- range $name := list "secret" "caBundle" -}}
  {{- if ne $isSecret (ne (index $certificate $name) "") -}}
  {{- $wrong = append $wrong (printf "webhook.certificate.%s: %s" $name (ternary "it is required with source: secret" "it has an effect with source: secret only; set the source, or remove it" $isSecret)) -}}
  {{- end -}}
{{- end -}}
{{- if and $certificate.issuerRef (ne $certificate.source "cert-manager") -}}
{{- $wrong = append $wrong "webhook.certificate.issuerRef: it has an effect with source: cert-manager only; set the source, or remove it" -}}
{{- end -}}
{{- range $key, $_ := $webhook.namespaceSelector -}}
  {{- if not (has $key (list "matchLabels" "matchExpressions")) -}}
  {{- $wrong = append $wrong (printf "webhook.namespaceSelector.%s: a label selector has matchLabels and matchExpressions only; without them, it selects all namespaces" $key) -}}
  {{- end -}}
{{- end -}}
{{- $hasCluster := lookup "v1" "Namespace" "" "kube-system" -}}
{{- if and (eq $certificate.source "chart") (not $hasCluster) -}}
{{- $wrong = append $wrong "webhook.certificate.source: with chart, Helm has to read the cluster, or each rendering would make another authority; install with helm install or helm upgrade, render with helm template --dry-run=server, or set cert-manager or secret (Argo CD)" -}}
{{- end -}}
{{- if ne 3 (list (int $webhook.port) (int $webhook.healthzPort) (int $webhook.metricsPort) | uniq | len) -}}
{{- $wrong = append $wrong "webhook.port, webhook.healthzPort and webhook.metricsPort must be different ports" -}}
{{- end -}}
{{- with $webhook.podSecurityContext -}}
  {{- if and .runAsNonRoot (eq (toString .runAsUser) "0") -}}
  {{- $wrong = append $wrong "webhook.podSecurityContext.runAsUser: the kubelet does not start root with runAsNonRoot; the webhook needs no root, so remove runAsUser" -}}
  {{- end -}}
{{- end -}}
{{- range $flag, $value := dict "port" "webhook.port" "healthz-port" "webhook.healthzPort" "prometheus-port" "webhook.metricsPort" "cert-dir" "webhook.certificate" "ca-dir" "webhook.certificate" -}}
  {{- range $arg := $webhook.extraArgs -}}
    {{- if regexMatch (printf "^--?%s(=|$)" $flag) $arg -}}
    {{- $wrong = append $wrong (printf "webhook.extraArgs: --%s must agree with the pod's ports, probes and volumes; set %s instead" $flag $value) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- range $label := list "app" "app.kubernetes.io/name" "app.kubernetes.io/instance" "app.kubernetes.io/component" -}}
  {{- if hasKey $webhook.podLabels $label -}}
  {{- $wrong = append $wrong (printf "webhook.podLabels: the chart sets %q; remove it" $label) -}}
  {{- end -}}
{{- end -}}
{{- toJson $wrong -}}
{{- end -}}
