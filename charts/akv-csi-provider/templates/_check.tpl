{{/* Returns the messages about values that contradict each other, as a JSON list. `settings` come from akv.settings. */}}
{{- define "akv.check" -}}
{{- $s := .settings -}}
{{- $wrong := list -}}
{{- if $s.windows.enabled -}}
{{- $wrong = append $wrong "windows.enabled: this provider runs on Linux nodes only; set it to false, and keep a release of the official chart for the Windows nodes (\"Windows nodes\" in README.md of the chart)" -}}
{{- end -}}
{{- if $s.enableArcExtension -}}
{{- $wrong = append $wrong "enableArcExtension: the Arc monitoring containers are not part of this chart; set it to false, and set `proxy` if you need one" -}}
{{- end -}}
{{- if $s.Azure.proxySettings.isProxyEnabled -}}
{{- $wrong = append $wrong "Azure.proxySettings: this chart ignores it; set `proxy.httpsProxy`, `proxy.noProxy` and `caBundle` instead" -}}
{{- end -}}
{{- if $s.rbac.pspEnabled -}}
{{- $wrong = append $wrong "rbac.pspEnabled: pod security policies were removed in Kubernetes 1.25; set it to false" -}}
{{- end -}}
{{- if and $s.caBundle.configMap $s.caBundle.secret -}}
{{- $wrong = append $wrong "caBundle: set configMap or secret, not both" -}}
{{- end -}}
{{- if ne (empty $s.offlineCache.directory) (empty $s.offlineCache.keySecret) -}}
{{- $wrong = append $wrong "offlineCache: set directory and keySecret, or neither" -}}
{{- end -}}
{{- if or $s.linux.enabled $s.webhook.enabled -}}
{{- $wrong = concat $wrong (include "akv.checkImage" $s.linux.image | fromJsonArray) -}}
{{- end -}}
{{- if $s.linux.enabled -}}
{{- $wrong = concat $wrong (include "akv.checkPod" $s | fromJsonArray) -}}
{{- end -}}
{{- if $s.webhook.enabled -}}
{{- $wrong = concat $wrong (include "akv.checkWebhook" $s | fromJsonArray) -}}
{{- end -}}
{{- $wrong = concat $wrong (include "akv.checkCluster" . | fromJsonArray) -}}
{{- toJson $wrong -}}
{{- end -}}

{{/* Checks that the image can be one of this project. */}}
{{- define "akv.checkImage" -}}
{{- $wrong := list -}}
{{- $repository := .repository | lower | trimSuffix "/" -}}
{{- $name := regexReplaceAll ":[^/:]*$" $repository "" -}}
{{- $own := "set linux.image.repository and linux.image.tag to the image that you built from the Dockerfile of this project and pushed to your registry" -}}
{{- if not $name -}}
{{- $wrong = append $wrong (printf "linux.image.repository: it is empty, and the chart in the source of this project names no image; %s" $own) -}}
{{- else if and (regexMatch "(^|/)provider-azure$|secrets-store[-_./]provider-azure$" $name) (not .allowOfficial) -}}
{{- $wrong = append $wrong (printf "linux.image.repository: %q is the official provider, which would run under the name of this one; %s (if your image really has this name, set linux.image.allowOfficial=true)" (trunc 200 .repository) $own) -}}
{{- else if ne $name $repository -}}
{{- $wrong = append $wrong (printf "linux.image.repository: %q has a tag; write the tag in linux.image.tag" (trunc 200 .repository)) -}}
{{- else if and (regexMatch "^v(0\\.[2-9]|1\\.[0-8])\\.[0-9]+$" .tag) (not .digest) (not .allowOfficial) -}}
{{- $wrong = append $wrong (printf "linux.image.tag: %q is a version of the official provider, and probably comes from its values file; set linux.image.tag to the tag of your image, or to \"\" for the version of this chart (if your image really has this tag, set linux.image.allowOfficial=true)" .tag) -}}
{{- end -}}
{{- toJson $wrong -}}
{{- end -}}

{{/* Checks ports, names and flags of the pod that contradict each other. */}}
{{- define "akv.checkPod" -}}
{{- $wrong := list -}}
{{- $linux := .linux -}}
{{- $surge := dig "rollingUpdate" "maxSurge" 0 $linux.updateStrategy | default 0 | toString -}}
{{- if and $linux.hostNetwork (not (has $surge (list "0" "0%"))) -}}
{{- $wrong = append $wrong "linux.updateStrategy.rollingUpdate.maxSurge: old and new pod cannot share the node's ports; set linux.hostNetwork to false, or identityModes to the modes that you use" -}}
{{- end -}}
{{- if and .offlineCache.directory (not (has $surge (list "0" "0%"))) -}}
{{- $wrong = append $wrong "linux.updateStrategy.rollingUpdate.maxSurge: old and new pod would write the offline cache at the same time; remove maxSurge, or offlineCache" -}}
{{- end -}}
{{- if and .networkPolicy.enabled $linux.hostNetwork -}}
{{- $wrong = append $wrong "networkPolicy.enabled: network policies have no effect on pods that use the node's network; set linux.hostNetwork to false, or identityModes to the modes that you use" -}}
{{- end -}}
{{- if and (not $linux.hostNetwork) (has "pod-identity" .identityModes) -}}
{{- $wrong = append $wrong "identityModes: pod-identity needs the node's network, because NMI listens on the node's loopback address; set linux.hostNetwork to true, or remove the mode" -}}
{{- end -}}
{{- if or .monitoring.podMonitor.enabled .monitoring.serviceMonitor.enabled -}}
  {{- if regexMatch "^(127[.]|::1$)" .metricsHost -}}
  {{- $wrong = append $wrong (printf "metricsHost: Prometheus cannot reach %s of a pod or node; remove metricsHost, or disable the monitors" .metricsHost) -}}
  {{- end -}}
  {{- if and .networkPolicy.enabled (not .networkPolicy.metricsFrom) -}}
  {{- $wrong = append $wrong "networkPolicy.metricsFrom: it is empty, so that Prometheus cannot scrape; name the peers that may, or disable the monitors" -}}
  {{- end -}}
{{- end -}}
{{- range list "runAsUser" "runAsGroup" "runAsNonRoot" -}}
  {{- if hasKey $linux.podSecurityContext . -}}
  {{- $wrong = append $wrong (printf "linux.podSecurityContext.%s: it has no effect, because the containers have their own; set linux.runAsUser" .) -}}
  {{- end -}}
{{- end -}}
{{- if eq (int $linux.healthzPort) (int .metricsAddr) -}}
{{- $wrong = append $wrong "linux.healthzPort and metricsAddr are the same port" -}}
{{- end -}}
{{- if and (eq $linux.dnsPolicy "None") (not (dig "nameservers" list $linux.dnsConfig)) -}}
{{- $wrong = append $wrong "linux.dnsPolicy: None needs linux.dnsConfig.nameservers" -}}
{{- end -}}
{{- range $name, $why := dict "app" "nameOverride sets it" "kubernetes.io/os" "this provider runs on Linux nodes only" -}}
  {{- $map := ternary $linux.podLabels $linux.nodeSelector (eq $name "app") -}}
  {{- $only := ternary (include "akv.name" $) "linux" (eq $name "app") -}}
  {{- if ne (index $map $name | default $only) $only -}}
  {{- $wrong = append $wrong (printf "linux.%s: %q must be %q; %s" (ternary "podLabels" "nodeSelector" (eq $name "app")) $name $only $why) -}}
  {{- end -}}
{{- end -}}
{{- range $label := list "app.kubernetes.io/name" "app.kubernetes.io/instance" -}}
  {{- if and (index $linux.podLabels $label) (or $.networkPolicy.enabled $.monitoring.podMonitor.enabled $.monitoring.serviceMonitor.enabled) -}}
  {{- $wrong = append $wrong (printf "linux.podLabels: networkPolicy and the monitors select the pods by %q; remove the label, or disable them" $label) -}}
  {{- end -}}
{{- end -}}
{{- range $flag, $value := dict "endpoint" "providerName" "healthz-host" "linux.hostNetwork" "healthz-port" "linux.healthzPort" "healthz-path" "linux.healthzPath" "prometheus-port" "metricsAddr" "offline-cache-dir" "offlineCache.directory" "offline-cache-key-file" "offlineCache.keySecret" "identity-modes" "identityModes" "allow-volume-attributes" "allowVolumeAttributes" "service-account-lookup" "serviceAccountLookup" -}}
  {{- range $arg := $.extraArgs -}}
    {{- if regexMatch (printf "^--?%s(=|$)" $flag) $arg -}}
    {{- $wrong = append $wrong (printf "extraArgs: --%s must agree with the pod's network, permissions, ports, probes and volumes; set %s instead" $flag $value) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- range .env -}}
  {{- if not (kindIs "string" .name) -}}{{- $wrong = append $wrong "env: each item needs a name, and a value or valueFrom" -}}
  {{- else if and (hasKey . "value") (not (kindIs "string" .value)) -}}
  {{- $wrong = append $wrong (printf "env: the value of %q is not text; write it in quotes" .name) -}}
  {{- end -}}
{{- end -}}
{{- range $linux.volumes -}}
  {{- if has .name (list "providers" "cluster-ca" "ca-bundle" "offline-cache" "offline-cache-key") -}}
  {{- $wrong = append $wrong (printf "linux.volumes: %q is the name of a volume of the chart; use another name" .name) -}}
  {{- end -}}
{{- end -}}
{{- toJson $wrong -}}
{{- end -}}

{{/* Checks for conflicts with other releases in the cluster. `helm template` cannot find them. */}}
{{- define "akv.checkCluster" -}}
{{- $wrong := list -}}
{{- if .release.IsUpgrade -}}
  {{- range list "secrets-store-csi-driver" (printf "%s-secrets-store-csi-driver" .release.Name) -}}
    {{- $found := lookup "apps/v1" "DaemonSet" $.release.Namespace . | default dict | dig "metadata" "annotations" dict -}}
    {{- $isOwn := eq (index $found "meta.helm.sh/release-name" | default "") $.release.Name -}}
    {{- if and $isOwn (ne (index $found "helm.sh/resource-policy" | default "") "keep") -}}
    {{- $wrong = append $wrong (printf "the release %q installed the Secrets Store CSI driver (secrets-store-csi-driver.install), and this upgrade would remove it; keep it first, by the annotation helm.sh/resource-policy=keep on all its objects: \"In place\" in README.md of the chart has the commands" $.release.Name) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- if .settings.rbac.install -}}
  {{- $account := include "akv.serviceAccount" .settings -}}
  {{- $found := lookup "v1" "ServiceAccount" .release.Namespace $account | default dict -}}
  {{- $release := dig "metadata" "annotations" dict $found -}}
  {{- $other := index $release "meta.helm.sh/release-name" | default "" -}}
  {{- if and $other (ne $other .release.Name) -}}
  {{- $wrong = append $wrong (printf "the ServiceAccount %q of this namespace belongs to the release %q; set another nameOverride for this release (and another providerName, metricsAddr and linux.healthzPort if both run at the same time)" $account $other) -}}
  {{- end -}}
{{- end -}}
{{- toJson $wrong -}}
{{- end -}}
