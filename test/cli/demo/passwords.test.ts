import { pbkdf2Sync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { parsePasswords, passwordFits } from '../../../src/cli/demo/passwords.ts';

const unpadded = (bytes: Buffer) => bytes.toString('base64').replace(/=+$/, '');
const salt = Buffer.from('0123456789abcdef');
const hashOf = (password: string, iterations = 1000) =>
  `$pbkdf2-sha512$i=${iterations},l=64$${unpadded(salt)}$${unpadded(pbkdf2Sync(password, salt, iterations, 64, 'sha512'))}`;

describe('passwords.toml', () => {
  const text = `# users
[client1]
password = "${hashOf('one')}"

[client1.attributes]
floor = "floor1"
"site code" = "s 1"

["client 2"]
password = "${hashOf('two', 1234)}"
`;

  it('holds users with attributes, names in quotes or not', () => {
    const users = parsePasswords(text);
    expect([...users.keys()]).toEqual(['client1', 'client 2']);
    expect(users.get('client1')?.attributes).toEqual(new Map(Object.entries({ floor: 'floor1', 'site code': 's 1' })));
    expect(users.get('client 2')?.password.iterations).toBe(1234);
  });

  it('is the same with the line ends of Windows', () => {
    expect(parsePasswords(text.replaceAll('\n', '\r\n'))).toEqual(parsePasswords(text));
  });

  it.each([
    ['the right password', 'one', true],
    ['a wrong password', 'two', false],
    ['an empty password', '', false],
  ])('knows %s', async (_name, password, fits) => {
    const user = parsePasswords(text).get('client1');
    expect(user && (await passwordFits(Buffer.from(password), user.password))).toBe(fits);
  });

  it.each([
    ['a value before the first user', 'password = "x"', 'line 1'],
    ['a line that is no TOML of this kind', '[a]\npassword: x', 'line 2'],
    ['a user without a password', '[a]\n', 'line 1'],
    ['a plain password', '[a]\npassword = "hunter2"', 'line 1'],
    ['a hash shorter than it says', `[a]\npassword = "${hashOf('one').slice(0, -8)}"`, 'line 1'],
    ['a user twice', `[a]\npassword = "${hashOf('one')}"\n[a]\npassword = "${hashOf('two')}"`, 'line 3'],
  ])('refuses %s by its line, and never quotes it', (_name, bad, line) => {
    let message = '';
    try {
      parsePasswords(bad);
    } catch (error) {
      message = String(error);
    }
    expect(message).toContain(line);
    expect(message).not.toMatch(/hunter2|password: x|[A-Za-z0-9+/]{20}/);
  });
});
