// Gives the provider an entry of @azure/identity with the credentials that it uses. With the entry of the package, esbuild
// would put all credentials that any part of the program uses into the provider's part. `build.mjs` uses it.
import { join } from 'node:path';

/** The file that logs in as a person and gets the whole package. */
const DEVELOPER = 'src/azure/login/developer-credentials.ts';

/** The credentials of the provider, and their files in the package. Another name is an error of the build. */
const CREDENTIALS = {
  ClientAssertionCredential: 'clientAssertionCredential.js',
  ClientCertificateCredential: 'clientCertificateCredential.js',
  ClientSecretCredential: 'clientSecretCredential.js',
  ManagedIdentityCredential: 'managedIdentityCredential/index.js',
};

/** An esbuild plugin. `root`: the directory of the project. */
export const identityEntry = (root) => ({
  name: 'identity-entry',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^@azure\/identity$/ }, ({ path, importer }) =>
      importer === join(root, DEVELOPER) ? undefined : { path, namespace: 'identity-entry', sideEffects: false },
    );
    onLoad({ filter: /.*/, namespace: 'identity-entry' }, () => ({
      contents: Object.entries(CREDENTIALS)
        .map(([name, file]) => `export { ${name} } from './credentials/${file}';\n`)
        .join(''),
      resolveDir: join(root, 'node_modules/@azure/identity/dist/esm'),
    }));
  },
});
