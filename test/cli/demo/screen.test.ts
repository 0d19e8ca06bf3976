import { expect, it } from 'vitest';
import { createScreen, wantsColour } from '../../../src/cli/demo/screen.ts';

function played(colour: boolean): string {
  let text = '';
  const screen = createScreen(
    (more) => {
      text += more;
    },
    { colour },
  );
  screen.step('First');
  screen.ok('done');
  screen.table([
    ['A', 'B'],
    ['1', '2'],
  ]);
  screen.step('Second');
  expect(screen.current).toBe('Second');
  screen.failure('it broke');
  return text;
}

it('numbers steps and marks lines, in plain text', () => {
  expect(played(false)).toBe('\n1. First\n   ok   done\n     A  B\n     1  2\n\n2. Second\n\nFAILED it broke\n');
});

it.each<[string, { isTTY?: boolean }, Record<string, string>, boolean]>([
  ['a terminal', { isTTY: true }, {}, true],
  ['a pipe', {}, {}, false],
  ['a terminal with NO_COLOR', { isTTY: true }, { NO_COLOR: '1' }, false],
  ['a terminal with an empty NO_COLOR', { isTTY: true }, { NO_COLOR: '' }, true],
  ['a dumb terminal', { isTTY: true }, { TERM: 'dumb' }, false],
])('knows whether %s wants colours', (_name, stream, env, colour) => {
  expect(wantsColour(stream, env)).toBe(colour);
});
