// Modules that packages of the bundle require, and that no code of this program reaches. The build replaces each by an
// empty module, so that it is neither loaded nor kept in memory.

const UNREACHED = [
  // grpc-js loads it for its services channelz and ORCA, which the server does not offer.
  '@grpc/proto-loader',
  // protobufjs uses it for integers of 64 bits, which the contract does not have, and compiles WebAssembly for it.
  'long',
  // @azure/identity opens a browser with it.
  'open',
];

/** An esbuild plugin that makes the modules above empty. */
export const unreached = {
  name: 'unreached',
  setup({ onResolve, onLoad }) {
    const filter = new RegExp(`^(${UNREACHED.join('|')})$`);
    onResolve({ filter }, ({ path, kind }) =>
      kind === 'dynamic-import' ? { path, external: true } : { path, namespace: 'unreached' },
    );
    onLoad({ filter: /.*/, namespace: 'unreached' }, () => ({ contents: 'module.exports = {};' }));
  },
};
