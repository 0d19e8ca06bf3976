{{/*
Returns all values as JSON, with the types of settings.yaml, and with the default if a values file sets null.
linux.hostNetwork is true or false. Fails with one message that lists all mistakes.
*/}}
{{- define "akv.settings" -}}
{{- $table := .Files.Get "settings.yaml" | fromYaml -}}
{{- $settings := dict -}}
{{- $wrong := list -}}
{{- range $path, $rule := $table.values -}}
  {{- $read := include "akv.read" (dict "path" $path "rule" $rule "values" $.Values) | fromJson -}}
  {{- if hasKey $read "wrong" -}}
    {{- $wrong = append $wrong $read.wrong -}}
  {{- end -}}
  {{- $at := $settings -}}
  {{- $names := splitList "." $path -}}
  {{- range initial $names -}}
    {{- if not (hasKey $at .) -}}{{- $_ := set $at . dict -}}{{- end -}}
    {{- $at = index $at . -}}
  {{- end -}}
  {{- $_ := set $at (last $names) $read.value -}}
{{- end -}}
{{- $wrong = concat $wrong (include "akv.strays" (dict "table" $table "values" .Values "settings" $settings) | fromJsonArray) -}}
{{- $_ := set $settings.linux "hostNetwork" (eq "true" (include "akv.hostNetwork" $settings)) -}}
{{- /* Contradictions between values are checked only if each value is valid. */ -}}
{{- if not $wrong -}}
  {{- $wrong = include "akv.check" (dict "settings" $settings "release" .Release) | fromJsonArray -}}
{{- end -}}
{{- if $wrong -}}
  {{- $shown := slice $wrong 0 (min 20 (len $wrong)) -}}
  {{- if gt (len $wrong) 20 -}}{{- $shown = append $shown (printf "and %d more" (sub (len $wrong) 20)) -}}{{- end -}}
  {{- fail (printf "\n  - %s" (join "\n  - " $shown)) -}}
{{- end -}}
{{- toJson $settings -}}
{{- end -}}

{{/* Returns the value at a path as {value}. If it breaks its rule, returns the default and the message as {wrong}. */}}
{{- define "akv.read" -}}
{{- $rule := .rule -}}
{{- $value := .values -}}
{{- $section := .values -}}
{{- range splitList "." .path -}}
  {{- $section = $value -}}
  {{- if kindIs "map" $value -}}{{- $value = index $value . -}}{{- else -}}{{- $value = "" -}}{{- end -}}
{{- end -}}
{{- $type := $rule.type -}}
{{- $wanted := "" -}}
{{- $shown := "" -}}
{{- if or (not (kindIs "map" $section)) (not $section) -}}
  {{- $value = $rule.default -}}
{{- else if kindIs "invalid" $value -}}
  {{- $value = include "akv.empty" $rule | fromJson | dig "value" $rule.default -}}
{{- else if eq $type "boolean" -}}
  {{- $text := toString $value | lower -}}
  {{- if has $text (list "true" "false") -}}{{- $value = eq $text "true" -}}{{- else -}}{{- $wanted = "true or false" -}}{{- end -}}
{{- else if eq $type "automatic" -}}
  {{- $value = toString $value | lower -}}
  {{- if not (has $value (list "true" "false" "auto")) -}}{{- $wanted = "true, false or auto" -}}{{- end -}}
{{- else if eq $type "integer" -}}
  {{- $text := toString $value | trimPrefix ":" -}}
  {{- if and (regexMatch "^[0-9]{1,10}$" $text) (ge (int64 $text) (int64 $rule.min)) (le (int64 $text) (int64 $rule.max)) -}}
    {{- $value = int64 $text -}}
  {{- else -}}
    {{- $wanted = printf "a whole number from %d to %d" (int64 $rule.min) (int64 $rule.max) -}}
  {{- end -}}
{{- else if eq $type "duration" -}}
  {{- $value = toString $value -}}
  {{- if not (regexMatch "^(([0-9]+(\\.[0-9]+)?(ns|us|ms|s|m|h))+|0)?$" $value) -}}
    {{- $wanted = "a duration with its unit, such as 30s or 1m30s, or 0" -}}
  {{- end -}}
{{- else if eq $type "text" -}}
  {{- if not (kindIs "string" $value) -}}{{- $wanted = "text; write it in quotes" -}}
  {{- else if and $rule.oneOf (not (has $value $rule.oneOf)) -}}{{- $wanted = without $rule.oneOf "" | join ", " | printf "one of %s" -}}
  {{- else if not (regexMatch (default "" $rule.pattern) $value) -}}{{- $wanted = $rule.rule -}}
  {{- end -}}
{{- else if eq $type "texts" -}}
  {{- if not (kindIs "slice" $value) -}}{{- $wanted = "a list of texts" -}}
  {{- else -}}
    {{- range $value -}}
      {{- if not (kindIs "string" .) -}}{{- $wanted = "a list of texts; write each in quotes" -}}
      {{- else if and (not $wanted) (not (regexMatch $rule.pattern .)) -}}
        {{- $wanted = $rule.rule -}}
        {{- $shown = trunc 60 . | quote | printf "the item %s" -}}
      {{- end -}}
    {{- end -}}
  {{- end -}}
{{- else if eq $type "words" -}}
  {{- if not (kindIs "map" $value) -}}{{- $wanted = "a map of texts" -}}
  {{- else -}}
    {{- range $name, $word := $value -}}
      {{- if not (or (kindIs "string" $word) (kindIs "invalid" $word)) -}}
        {{- $wanted = printf "a map of texts; write the value of %q in quotes" $name -}}
      {{- end -}}
    {{- end -}}
  {{- end -}}
{{- else if eq $type "map" -}}
  {{- if not (kindIs "map" $value) -}}{{- $wanted = "a map" -}}
  {{- else -}}
    {{- range $name, $kind := $rule.within -}}
      {{- $part := index $value $name -}}
      {{- if kindIs "invalid" $part -}}{{- $value = omit $value $name -}}
      {{- else if not (kindIs $kind $part) -}}
        {{- $wanted = printf "a map in which %s is a %s" $name (get (dict "slice" "list" "string" "text") $kind | default $kind) -}}
      {{- end -}}
    {{- end -}}
  {{- end -}}
{{- else if eq $type "list" -}}
  {{- if not (kindIs "slice" $value) -}}{{- $wanted = "a list of maps" -}}
  {{- else -}}
    {{- range $value -}}{{- if not (kindIs "map" .) -}}{{- $wanted = "a list of maps" -}}{{- end -}}{{- end -}}
  {{- end -}}
{{- end -}}
{{- if $wanted -}}
  {{- if not $shown -}}
    {{- $shown = "the value" -}}
    {{- if not (or (kindIs "map" $value) (kindIs "slice" $value)) -}}{{- $shown = toString $value | trunc 60 | quote -}}{{- end -}}
  {{- end -}}
  {{- dict "value" $rule.default "wrong" (printf "%s: %s is not %s" .path $shown $wanted) | toJson -}}
{{- else -}}
  {{- dict "value" $value | toJson -}}
{{- end -}}
{{- end -}}

{{/* Returns the empty value of a type as {value}, for a value set to null; returns {} if the value cannot be empty. */}}
{{- define "akv.empty" -}}
{{- $empty := dict -}}
{{- if has .type (list "map" "words") -}}{{- $empty = dict "value" dict -}}
{{- else if has .type (list "list" "texts") -}}{{- $empty = dict "value" list -}}
{{- else if and (eq .type "text") (regexMatch (default "" .pattern) "") (has "" (default (list "") .oneOf)) -}}{{- $empty = dict "value" "" -}}
{{- end -}}
{{- toJson $empty -}}
{{- end -}}

{{/* Returns the messages about names that are not values of this chart, as a JSON list. */}}
{{- define "akv.strays" -}}
{{- $table := .table -}}
{{- $values := .values -}}
{{- $settings := .settings -}}
{{- $told := list -}}
{{- range $section := concat (list "") $table.sections -}}
  {{- $found := $values -}}
  {{- range without (splitList "." $section) "" -}}{{- if kindIs "map" $found -}}{{- $found = index $found . -}}{{- end -}}{{- end -}}
  {{- if kindIs "map" $found -}}
    {{- range $name, $value := $found -}}
      {{- $path := list $section $name | compact | join "." -}}
      {{- $known := or (hasKey $table.values $path) (has $path $table.sections) (has $path $table.unread) -}}
      {{- if and (not (kindIs "invalid" $value)) (or (not $known) (contains "." $name)) -}}
        {{- with include "akv.stray" (dict "path" $path "name" $name "value" $value "table" $table "settings" $settings) -}}
          {{- $told = append $told (printf "%s: %s" $path .) -}}
        {{- end -}}
      {{- end -}}
    {{- end -}}
  {{- else if not (kindIs "invalid" $found) -}}
    {{- $told = append $told (printf "%s: must be a map of values" $section) -}}
  {{- end -}}
{{- end -}}
{{- toJson $told -}}
{{- end -}}

{{/* Returns the remedy for such a name, or nothing if the value has no effect. */}}
{{- define "akv.stray" -}}
{{- $table := .table -}}
{{- $path := .path -}}
{{- $text := toJson .value | replace "\"" "" | lower -}}
{{- $driver := trimPrefix "secrets-store-csi-driver." $path -}}
{{- $default := index $table.driver $driver | toJson | replace "\"" "" | lower -}}
{{- $ours := index $table.synonyms $path | default "" -}}
{{- $exact := ne $ours "" -}}
{{- range $known := concat (keys $table.values | sortAlpha) $table.sections -}}
  {{- $last := splitList "." $known | last -}}
  {{- $alike := eq (lower $last) ($.name | replace "-" "" | replace "_" "" | lower) -}}
  {{- if and (not $ours) $alike (not (has $last (list "enabled" "install" "key"))) -}}
    {{- $ours = $known -}}
    {{- $exact = eq $last $.name -}}
  {{- end -}}
{{- end -}}
{{- if or (ne $driver $path) (hasKey $table.driver $driver) (hasKey $table.driver (splitList "." $driver | first)) -}}
  {{- if not (has $text (list "{}" "[]" "" "false" "{enabled:false}" $default)) -}}
    {{- if contains "." .name -}}a dot in a name does not nest, so that no chart reads this; {{ end -}}
    the driver is not part of this chart: set {{ $driver }} in the release of the chart secrets-store-csi-driver
  {{- end -}}
{{- else if contains "." .name -}}
  a dot in a name does not nest, so that no chart reads this; write a nested map for each part of the name
{{- else if $ours -}}
  {{- $now := $.settings -}}
  {{- range splitList "." $ours -}}{{- $now = index $now . -}}{{- end -}}
  {{- /* Early values files of the official chart have an `image` whose values are all empty. */ -}}
  {{- $empty := regexMatch "^\\{([a-z]+:,?)+\\}$" $text -}}
  {{- if not (or $empty (and $exact (eq ($text | trimPrefix ":") (toJson $now | replace "\"" "" | lower)))) -}}
    there is no such value; use {{ $ours }}
  {{- end -}}
{{- else -}}
  there is no such value; README.md of the chart lists all values
{{- end -}}
{{- end -}}
