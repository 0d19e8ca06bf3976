// The emulator as the Azure of the cluster, and our chart installed as docs/emulator.md and the README say. The tests with
// a node start it after the cluster.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parse, stringify } from 'yaml';
import { EXAMPLE_SEED, NODE_PUBLISH_SECRET } from '../../src/cli/demo/fixtures.ts';
import { type Emulator, startEmulator } from '../../src/emulator/emulator.ts';
import { codeBlocks, root, section, shellLines, textOf } from '../support/markdown.ts';
import { type Cluster, NODE_ADDRESS } from './node.ts';
import { run } from './process.ts';
import { clusterProgram } from './programs.ts';

/** Azure, and commands that use it. */
export interface Azure {
  readonly emulator: Emulator;
  /** The values of the chart for this Azure, as a file. */
  readonly valuesFile: string;
  /** Runs a line of a document in the directory of the project, with helm and kubectl on the PATH. Returns its stdout. */
  shell(line: string): Promise<string>;
  close(): Promise<void>;
}

/** The password in the vault of the example, which the manifests of the documents mount. */
export const DB_PASSWORD = 'demo-db-password';

/** Starts the emulator with its example, and stores its root certificate and cloud in the cluster. */
export async function startAzure(cluster: Cluster): Promise<Azure> {
  const emulator = await startEmulator({ seed: await seedFor(cluster), host: NODE_ADDRESS });
  const directory = join(cluster.directory, 'azure');
  mkdirSync(directory);
  writeFileSync(join(directory, 'ca.crt'), emulator.caPem);
  writeFileSync(join(directory, 'cloud.json'), emulator.cloudFile);
  const valuesFile = join(directory, 'values.yaml');
  const page = section('docs/emulator.md', 'The emulator in a cluster');
  writeFileSync(valuesFile, stringify(parse(codeBlocks(page, 'yaml')[0] ?? '')));
  const env = {
    KUBECONFIG: cluster.kubeconfig,
    PATH: `${dirname(clusterProgram('kubectl'))}:${process.env.PATH}`,
  };
  for (const line of linesOf(page, 'kubectl')) await run('bash', ['-c', line], { env, cwd: directory });
  return {
    emulator,
    valuesFile,
    shell: (line) => run('bash', ['-c', line], { env, cwd: root }),
    close: () => emulator.close(),
  };
}

/** Returns the lines of the shell blocks of a text that begin with a program. */
function linesOf(text: string, program: string): readonly string[] {
  return shellLines(text).filter((line) => line.startsWith(`${program} `));
}

/** Returns the lines of the README that begin with a program, with the names of this Azure. */
export function readmeLines(program: string): readonly string[] {
  return linesOf(textOf('README.md'), program).map((line) =>
    line
      .replace('clientid=ID', `clientid=${NODE_PUBLISH_SECRET.clientid}`)
      .replace('clientsecret=SECRET', `clientsecret=${NODE_PUBLISH_SECRET.clientsecret}`),
  );
}

/** Returns the seed of the examples, whose workload identity trusts the tokens of this cluster and no other. */
async function seedFor({ kubectl }: Cluster): Promise<string> {
  const keys = await kubectl(['get', '--raw', '/openid/v1/jwks']);
  return EXAMPLE_SEED.replace(/^ *signature: any.*$/m, (line) => `${line.replace(/\S.*/, '')}jwks: ${keys}`);
}
