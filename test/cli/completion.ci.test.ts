/** The completion scripts in a real Fish and a real Zsh. */
import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { builtProgram } from '../support/e2e.ts';
import { findTool, toolDirectory } from '../support/tools.ts';

const tools = toolDirectory();
const print = (shell: string) =>
  execFileSync(process.execPath, [builtProgram(), 'completion', shell], { encoding: 'utf8' });

describe.skipIf(!findTool('fish'))('the completion of Fish', () => {
  it.each([
    ['ch', ['check']],
    ['check --fo', ['--format']],
    ['check --format ', ['github', 'json', 'sarif', 'text']],
    ['kubectl ', ['check', 'connect', 'status', 'why']],
    ['kubectl status --fe', ['--fetch']],
    ['check --force', []],
    ['help vers', ['version']],
  ])('offers for "%s" the words %j', (line, expected) => {
    tools.put('akv-csi.fish', print('fish'));
    const offered = tools.run('fish', '-N', '-c', `source akv-csi.fish; complete -C 'akv-csi ${line}'`);
    expect(offered.split('\n').flatMap((one) => (one === '' ? [] : [one.split('\t')[0]]))).toEqual(expected);
  });
});

it.skipIf(!findTool('zsh'))('the completion of Zsh belongs to akv-csi', () => {
  tools.put('akv-csi.zsh', print('zsh'));
  const script = 'autoload -U compinit; compinit -u -d dump; source ./akv-csi.zsh; print $_comps[akv-csi]';
  expect(tools.run('zsh', '-f', '-c', script)).toContain('_akv_csi');
});
