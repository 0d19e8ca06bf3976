/**
 * Tells whether the environment asks for traces. `serve` calls it before it loads anything of OpenTelemetry.
 */

/** The environment of the process. */
export type Env = Readonly<Record<string, string | undefined>>;

/** Returns true if one of the variables that switch traces on is set. {@link readTraceSettings} has the last word. */
export function tracesWanted(env: Env): boolean {
  return ['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', 'OTEL_EXPORTER_OTLP_ENDPOINT', 'OTEL_TRACES_EXPORTER'].some(
    (name) => (env[name] ?? '').trim() !== '',
  );
}
