// Replaces modules that packages of the bundle require for what this program does not do, so that they are neither loaded
// nor kept in memory. `build.mjs` uses it.

/** A client of @azure/core-tracing as it is while no tracer is registered, without the contexts that it makes for each call. */
const NO_TRACER = `
  const span = { isRecording: () => false, end() {} };
  const withSpan = async (name, options, work) => work(options ?? {}, span);
  module.exports = { createTracingClient: () => ({ withSpan, startSpan: () => ({ span }) }) };
`;

/** The modules, by name, and the code that takes the place of each. */
const REPLACED = {
  // The clients of the SDK trace each call with it. The program has no tracer.
  '@azure/core-tracing': NO_TRACER,
  // grpc-js loads it for its services channelz and ORCA, which the server does not offer.
  '@grpc/proto-loader': 'module.exports = {};',
  // prom-client asks it for the span of an exemplar. No metric has exemplars. The part that exports traces has it.
  '@opentelemetry/api': 'module.exports = {};',
  // OpenTelemetry would ask the system for the id of the machine, by which this program does not name itself.
  './machine-id/getMachineId': 'module.exports = {};',
  // protobufjs uses it for integers of 64 bits, which the contract does not have, and compiles WebAssembly for it.
  long: 'module.exports = {};',
  // @azure/identity opens a browser with it.
  open: 'module.exports = {};',
  // jsonwebtoken asks it three times whether Node is at least 8.0, 15.7 and 16.9.
  semver: 'module.exports = { satisfies: () => true };',
  // The client of Kubernetes sends its typed requests with them: 1.4 MB. The plugin sends requests of its own.
  undici: 'module.exports = {};',
  './gen/index.js': 'module.exports = {};',
  './gen/rxjsStub.js': 'module.exports = {};',
};

/** An esbuild plugin that replaces the modules above. */
export const unreached = {
  name: 'unreached',
  setup({ onResolve, onLoad }) {
    onResolve(
      {
        filter: new RegExp(
          `^(${Object.keys(REPLACED)
            .map((name) => name.replaceAll('.', '\\.'))
            .join('|')})$`,
        ),
      },
      ({ path, kind, importer }) => {
        if (path === '@opentelemetry/api' && !importer.includes('/node_modules/prom-client/')) return undefined;
        return kind === 'dynamic-import' ? { path, external: true } : { path, namespace: 'unreached' };
      },
    );
    onLoad({ filter: /.*/, namespace: 'unreached' }, ({ path }) => ({ contents: REPLACED[path] }));
  },
};
