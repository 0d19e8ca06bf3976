import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CloudFiles } from '../../src/azure/cloud-files.ts';
import { readRegularFile } from '../../src/base/regular-file.ts';

const MAX_BYTES = 64 * 1024;

let root: string;
let clouds: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'akv-clouds-'));
  clouds = join(root, 'clouds');
  mkdirSync(clouds);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** Writes a file and returns its path. */
function file(path: string, text = '{}'): string {
  const whole = join(root, path);
  mkdirSync(join(whole, '..'), { recursive: true });
  writeFileSync(whole, text);
  return whole;
}

const below = (directory = clouds) => new CloudFiles({ directory, ownFile: '' });
const problemOf = async (name: string, files = below()) => {
  const read = await files.read(name);
  return 'problem' in read ? read.problem : `read: ${read.text}`;
};
const outside = (name: string) =>
  `cloudEnvFileName ${JSON.stringify(name)} must name a file below ${clouds}; put the file into that directory, or start the provider with another --cloud-file-dir`;

describe('a file below the directory', () => {
  it.each(['a.json', './a.json', 'b/../a.json', 'sub/c.json'])('is read by the name %s', async (name) => {
    file('clouds/a.json', 'text');
    file('clouds/sub/c.json', 'text');
    expect(await below().read(name)).toEqual({ name, text: 'text' });
    const whole = `${clouds}/${name}`;
    expect(await below().read(whole)).toEqual({ name: whole, text: 'text' });
  });

  it('is found through links that stay below it, and where the directory itself is one', async () => {
    file('clouds/a.json', 'text');
    symlinkSync('a.json', join(clouds, 'b.json'));
    symlinkSync(clouds, join(root, 'link'));
    expect(await problemOf('b.json')).toBe('read: text');
    expect(await problemOf('b.json', below(join(root, 'link')))).toBe('read: text');
    expect(await problemOf(join(root, 'link', 'a.json'), below(join(root, 'link')))).toBe('read: text');
    expect(await problemOf(join(clouds, 'a.json'), below(join(root, 'link')))).toBe('read: text');
  });

  it('may lie in a ConfigMap volume, which the kubelet changes by a link', async () => {
    file('clouds/..1/cloud.json', 'one');
    file('clouds/..2/cloud.json', 'two');
    symlinkSync('..1', join(clouds, '..data'));
    symlinkSync('..data/cloud.json', join(clouds, 'cloud.json'));
    const files = below();
    expect(await problemOf('cloud.json', files)).toBe('read: one');
    symlinkSync('..2', join(clouds, '..data_tmp'));
    renameSync(join(clouds, '..data_tmp'), join(clouds, '..data'));
    rmSync(join(clouds, '..1'), { recursive: true });
    expect(await problemOf('cloud.json', files)).toBe('read: two');
  });

  it('is looked for again where it went between finding and opening it', async () => {
    const path = file('clouds/a.json', 'text');
    let reads = 0;
    const readFile: typeof readRegularFile = async (...args) => {
      if (++reads > 1) return readRegularFile(...args);
      renameSync(path, join(clouds, 'moved'));
      const failure = readRegularFile(...args);
      await failure.catch(() => renameSync(join(clouds, 'moved'), path));
      return failure;
    };
    expect(await problemOf('a.json', new CloudFiles({ directory: clouds, ownFile: '', readFile }))).toBe('read: text');
    expect(reads).toBe(2);
  });

  it('is remembered until it changes', async () => {
    const path = file('clouds/a.json', 'one');
    utimesSync(path, 1, 1);
    let reads = 0;
    const readFile: typeof readRegularFile = (...args) => {
      reads++;
      return readRegularFile(...args);
    };
    const files = new CloudFiles({ directory: clouds, ownFile: path, readFile });
    await Promise.all(Array.from({ length: 20 }, () => problemOf('a.json', files)));
    expect(await files.read('')).toEqual({ name: path, text: 'one' });
    expect(reads).toBe(1);
    // The new file has the size and the time of the old one.
    file('clouds/b.json', 'two');
    utimesSync(join(clouds, 'b.json'), 1, 1);
    renameSync(join(clouds, 'b.json'), path);
    expect(await problemOf('a.json', files)).toBe('read: two');
  });

  it('of no more than so many bytes is remembered', async () => {
    let reads = 0;
    const readFile: typeof readRegularFile = (...args) => {
      reads++;
      return readRegularFile(...args);
    };
    const files = new CloudFiles({ directory: clouds, ownFile: '', readFile });
    const names = Array.from({ length: 40 }, (_, i) => `${i}.json`);
    for (const name of names) file(`clouds/${name}`, 'x'.repeat(MAX_BYTES));
    for (const name of [...names, ...names]) await files.read(name);
    expect(reads).toBe(80);
  });

  it.each([
    [MAX_BYTES, `read: ${'x'.repeat(MAX_BYTES)}`],
    [MAX_BYTES + 1, 'cloudEnvFileName "a.json" cannot be read: it is larger than 65536 bytes'],
  ])('of %i bytes', async (bytes, answer) => {
    file('clouds/a.json', 'x'.repeat(bytes));
    expect(await problemOf('a.json')).toBe(answer);
  });
});

describe('what is no regular file is not waited for', () => {
  const cannot = (reason: string) => `cloudEnvFileName "it" cannot be read: ${reason}`;

  it('a pipe that nobody writes to', async () => {
    execFileSync('mkfifo', [join(clouds, 'it')]);
    expect(await problemOf('it')).toBe(cannot('it is not a regular file'));
  });

  it('a socket', async () => {
    const server = createServer().listen(join(clouds, 'it'));
    await new Promise((resolve) => server.once('listening', resolve));
    expect(await problemOf('it')).toBe(cannot('it is not a regular file'));
    server.close();
  });

  it('a directory', async () => {
    mkdirSync(join(clouds, 'it'));
    expect(await problemOf('it')).toBe(cannot('it is a directory'));
  });

  it('devices', async () => {
    for (const name of ['zero', 'null', 'tty']) {
      expect(await problemOf(name, below('/dev'))).toMatch(/cannot be read: it is not a regular file$/);
    }
  });

  it('files that say they are empty and are not', async () => {
    for (const name of ['self/environ', 'self/pagemap']) {
      const files = below('/proc');
      expect(await problemOf(name.replace('self', String(process.pid)), files)).toMatch(/cannot be read: /);
    }
  });
});

describe('what lies outside of the directory', () => {
  it('is not read through a link that came after the path was looked at', async () => {
    file('outside/cloud.json', 'outside');
    symlinkSync('../outside', join(clouds, 'sub'));
    await expect(readRegularFile(join(clouds, 'sub', 'cloud.json'), MAX_BYTES)).rejects.toThrow(/it was moved/);
    symlinkSync('../outside/cloud.json', join(clouds, 'link.json'));
    await expect(readRegularFile(join(clouds, 'link.json'), MAX_BYTES)).rejects.toThrow(/not a regular file/);
  });

  let victims: string;
  beforeAll(() => {
    victims = mkdtempSync(join(tmpdir(), 'akv-victims-'));
    writeFileSync(join(victims, 'there'), 'hunter2');
  });
  afterAll(() => rmSync(victims, { recursive: true, force: true }));

  it('is refused in the same words, whether it is there or not', async () => {
    writeFileSync(`${clouds}-beside`, 'hunter2');
    const names = [
      join(victims, 'there'),
      join(victims, 'missing'),
      '/dev/zero',
      '/dev/stdout',
      '/etc/shadow',
      '/',
      '..',
    ];
    for (const name of [...names, '.', '../clouds-beside', '../clouds', `${clouds}-beside`, clouds, `${clouds}/../x`]) {
      expect(await problemOf(name)).toBe(outside(name));
    }
  });

  it('is not told where a link leads there', async () => {
    symlinkSync(victims, join(clouds, 'way'));
    symlinkSync(join(victims, 'there'), join(clouds, 'there'));
    symlinkSync(join(victims, 'missing'), join(clouds, 'missing'));
    symlinkSync('/dev/zero', join(clouds, 'zero'));
    symlinkSync('loop', join(clouds, 'loop'));
    const strange = ['a\0b', 'x'.repeat(300), 'x/'.repeat(3000), 'nothing'];
    for (const name of ['way/there', 'way/missing', 'way/there/x', 'there', 'missing', 'zero', 'loop', ...strange]) {
      const said = await problemOf(name);
      expect(said).toMatch(/^cloudEnvFileName "/);
      expect(said.replace(/^cloudEnvFileName ".*?" /, '')).toBe(
        `cannot be read: there is no such file below ${clouds}; put the file into that directory, or start the provider with another --cloud-file-dir`,
      );
    }
  });
});

describe('the operator’s own file', () => {
  it('is read for Mounts that name none, wherever it lies', async () => {
    const ownFile = file('own/cloud.json', 'own');
    expect(await new CloudFiles({ directory: clouds, ownFile }).read('')).toEqual({ name: ownFile, text: 'own' });
  });

  it('may be named too, though it is a link out of its directory', async () => {
    file('real/cloud.json', 'own');
    mkdirSync(join(root, 'own'));
    const ownFile = join(root, 'own', 'cloud.json');
    symlinkSync('../real/cloud.json', ownFile);
    const files = new CloudFiles({ directory: '', ownFile });
    expect(await files.read(ownFile)).toEqual({ name: ownFile, text: 'own' });
    expect(await problemOf('cloud.json', files)).toBe('read: own');
    expect(await problemOf(ownFile, new CloudFiles({ directory: clouds, ownFile }))).toBe('read: own');
  });

  it('makes its directory the one of others', async () => {
    const ownFile = file('own/cloud.json', 'own');
    file('own/other.json', 'other');
    const files = new CloudFiles({ directory: '', ownFile });
    expect(await problemOf('other.json', files)).toBe('read: other');
    expect(await problemOf(join(root, 'x'), files)).toContain(`must name a file below ${join(root, 'own')}; `);
  });

  it('is an error of its own where it cannot be read', async () => {
    const ownFile = join(root, 'missing');
    expect(await problemOf('', new CloudFiles({ directory: '', ownFile }))).toBe(
      `open ${ownFile}: no such file or directory`,
    );
    execFileSync('mkfifo', [ownFile]);
    expect(await problemOf('', new CloudFiles({ directory: '', ownFile }))).toBe(
      `open ${ownFile}: it is not a regular file`,
    );
  });

  it.each(['', '/cloud.json'])('where it is %j there is no directory, and the flag is named', async (ownFile) => {
    expect(await problemOf('/etc/passwd', new CloudFiles({ directory: '', ownFile }))).toBe(
      'cloudEnvFileName "/etc/passwd" is not read: the provider has no directory of cloud files; start it with --cloud-file-dir, or with AZURE_ENVIRONMENT_FILEPATH in its environment',
    );
  });

  it('is not what fails where the directory is missing', async () => {
    const directory = join(root, 'missing');
    expect(await problemOf('a.json', below(directory))).toBe(
      `cloudEnvFileName "a.json" is not read: the directory of cloud files, ${directory}, is not there; mount it, or start the provider with another --cloud-file-dir`,
    );
  });

  it('is asked for where there is none', async () => {
    expect(await problemOf('')).toBe(
      'it needs cloudEnvFileName, or AZURE_ENVIRONMENT_FILEPATH in the environment of the provider',
    );
  });
});
