// The commands of all pages: shells can read the blocks, and the program has the options of its own commands.
import { execFileSync, spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { builtProgram } from '../support/e2e.ts';
import { codeBlocks, markdownFiles, shellLines, textOf } from '../support/markdown.ts';

const pages = markdownFiles();

it('can be read by a shell', () => {
  for (const page of pages.filter((one) => textOf(one).includes('```sh\n'))) {
    const input = codeBlocks(textOf(page), 'sh').join('\n');
    const { stderr } = spawnSync('bash', ['-n'], { input, encoding: 'utf8' });
    expect(stderr, page).toBe('');
  }
});

it('have options that the program has', () => {
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
  for (const [command, flags] of used) {
    const help = execFileSync(process.execPath, [builtProgram(), command, '--help'], { encoding: 'utf8' });
    for (const flag of flags) expect(help, `akv-csi ${command} ${flag}`).toMatch(new RegExp(`${flag}(?![-\\w])`));
  }
});
