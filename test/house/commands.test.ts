// The commands of all pages: shells can read the blocks, and the program has the options of its own commands.
import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { allCommands, makeProgram } from '../../src/cli/program.ts';
import { SERVE_FLAGS } from '../../src/cli/serve-flag-specs.ts';
import { WEBHOOK_FLAGS } from '../../src/cli/webhook-flags.ts';
import { codeBlocks, markdownFiles, shellLines, textOf } from '../support/markdown.ts';

const pages = markdownFiles();
/** The flags of the commands that are servers. */
const OF_SERVERS: Readonly<Record<string, readonly { readonly name: string }[]>> = {
  serve: SERVE_FLAGS,
  webhook: WEBHOOK_FLAGS,
};

it('can be read by a shell', () => {
  for (const page of pages.filter((one) => textOf(one).includes('```sh\n'))) {
    const input = codeBlocks(textOf(page), 'sh').join('\n');
    const { stderr } = spawnSync('bash', ['-n'], { input, encoding: 'utf8' });
    expect(stderr, page).toBe('');
  }
});

it('have options that the program has', async () => {
  const inline = (text: string) => [...text.matchAll(/`(akv-csi [^`]+)`/g)].map(([, command = '']) => command);
  const used = new Map<string, Set<string>>();
  for (const page of pages) {
    const text = textOf(page);
    for (const line of [...shellLines(text), ...inline(text)]) {
      // Options inside of quotes are those of another program.
      const bare = line.replaceAll(/'[^']*'|"[^"]*"/g, '');
      for (const [, command = '', rest = ''] of bare.matchAll(/\bakv-csi ([a-z]+)\b([^|;]*)/g)) {
        const [own = ''] = rest.split(' -- ');
        const flags = own.match(/(?<=\s|\[)--[a-z][a-z-]*/g) ?? [];
        used.set(command, new Set([...(used.get(command) ?? []), ...flags]));
      }
    }
  }
  expect(used.size).toBeGreaterThan(5);
  const commands = await allCommands(makeProgram());
  for (const [name, flags] of used) {
    const options = commands.find((command) => command.name() === name)?.options.map(({ long }) => long) ?? [];
    const known = [...options, ...(OF_SERVERS[name] ?? []).map((flag) => `--${flag.name}`), '--help'];
    for (const flag of flags) expect(known, `akv-csi ${name} ${flag}`).toContain(flag);
  }
});

it('keep the other credentials of an application', () => {
  const resets = pages.flatMap((page) => textOf(page).match(/az ad app credential reset[^`\n]*/g) ?? []);
  expect(resets.length).toBeGreaterThan(0);
  for (const command of resets) expect(command).toContain('--append');
});
