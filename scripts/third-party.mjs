// The packages in a bundle and their licences. `build.mjs` writes them to dist/third-party-licenses.txt; `sbom.mjs` reads
// that file.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const LICENSE_FILE = /^(licen[cs]e|copying|notice)([-.].*)?$/i;
const LINE = '='.repeat(80);
const HEAD = `The program contains code of these packages. Their licences follow.\n\n`;

/** Returns the text for the packages of which these builds of esbuild hold code. `root` holds node_modules. */
export function thirdPartyLicenses(metafiles, root) {
  const folders = new Set();
  const files = metafiles.flatMap(({ outputs }) =>
    Object.values(outputs).flatMap(({ inputs }) => Object.entries(inputs)),
  );
  for (const [path, { bytesInOutput }] of files) {
    const [folder] = /^(.*\/)?node_modules\/(@[^/]+\/)?[^/]+/.exec(path) ?? [];
    if (folder !== undefined && bytesInOutput > 0) folders.add(folder);
  }
  const packages = [...folders].map((folder) => packageAt(join(root, folder)));
  const unique = new Map(packages.map((one) => [one.title, one]));
  const sorted = [...unique.values()].sort((a, b) => (a.title < b.title ? -1 : 1));
  const list = sorted.map(({ title }) => `${title}\n`).join('');
  return `${HEAD}${list}\n${sorted.map(({ title, text }) => `${LINE}\n${title}\n\n${text.trim()}\n\n`).join('')}`;
}

/** Returns the packages of such a text, each as `name@version`. */
export function packagesIn(text) {
  const [list] = text.slice(HEAD.length).split('\n\n');
  return list.split('\n').map((title) => title.split(' ')[0]);
}

function packageAt(folder) {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const files = readdirSync(folder)
    .filter((file) => LICENSE_FILE.test(file))
    .sort();
  const text = files.map((file) => readFileSync(join(folder, file), 'utf8').trim()).join('\n\n');
  return { title: `${name}@${version} (${license})`, text: text || `The package declares the licence ${license}.` };
}
