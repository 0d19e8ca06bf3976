// Writes the software bills of materials of the program: `node scripts/sbom.mjs DIRECTORY` makes sbom.cdx.json
// (CycloneDX) and sbom.spdx.json (SPDX) there. They list the packages in the bundle, and none that only build it.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { packagesIn } from './third-party.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const [directory = 'dist'] = process.argv.slice(2);
const bundled = new Set(packagesIn(readFileSync(join(root, 'dist/third-party-licenses.txt'), 'utf8')));
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const own = `${manifest.name}@${manifest.version}`;

const sbomOf = (format) =>
  JSON.parse(
    execFileSync('npm', ['sbom', '--sbom-format', format, '--package-lock-only'], {
      cwd: root,
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
    }),
  );
const write = (name, sbom) => writeFileSync(join(directory, name), `${JSON.stringify(sbom, undefined, 2)}\n`);
mkdirSync(directory, { recursive: true });

const cyclonedx = sbomOf('cyclonedx');
const isBundled = ({ name, version }) => bundled.has(`${name}@${version}`);
cyclonedx.metadata.component.name = manifest.name;
cyclonedx.components = cyclonedx.components
  .filter(isBundled)
  // npm calls them development packages. The bundle contains them.
  .map(({ properties: _, ...component }) => ({ ...component, scope: 'required' }));
const references = new Set([own, ...cyclonedx.components.map((component) => component['bom-ref'])]);
cyclonedx.dependencies = cyclonedx.dependencies
  .filter(({ ref }) => references.has(ref))
  .map(({ ref, dependsOn = [] }) => ({ ref, dependsOn: dependsOn.filter((one) => references.has(one)) }));
write('sbom.cdx.json', cyclonedx);

const spdx = sbomOf('spdx');
spdx.packages = spdx.packages.filter(
  ({ name, versionInfo }) => `${name}@${versionInfo}` === own || isBundled({ name, version: versionInfo }),
);
const ids = new Set(['SPDXRef-DOCUMENT', ...spdx.packages.map(({ SPDXID }) => SPDXID)]);
spdx.relationships = spdx.relationships.filter(
  ({ spdxElementId, relatedSpdxElement }) => ids.has(spdxElementId) && ids.has(relatedSpdxElement),
);
write('sbom.spdx.json', spdx);

const listed = cyclonedx.components.length;
if (listed !== bundled.size || spdx.packages.length !== bundled.size + 1) {
  const found = new Set(cyclonedx.components.map(({ name, version }) => `${name}@${version}`));
  const lost = [...bundled].filter((one) => !found.has(one));
  throw new Error(`the bundle holds ${bundled.size} packages, the lock file lists ${listed} of them; not ${lost}`);
}
process.stdout.write(`${listed} packages in ${directory}/sbom.cdx.json and ${directory}/sbom.spdx.json\n`);
