import { X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { Secret } from '../../src/base/secret.ts';
import { readBundle } from '../../src/pki/bundle.ts';
import { pairKey } from '../../src/pki/certified-key.ts';
import { KEY_FORMATS, OUTPUT_KINDS, PKCS12_PROFILES, traitsOf } from '../../src/pki/outputs.ts';
import { writeOutput } from '../../src/pki/write.ts';
import { issueChain } from '../support/pki.ts';

const seed = Buffer.from('0123456789abcdef');
const { leaf, certificates } = await issueChain({ keyType: 'rsa-2048', intermediates: 1 });
const material = await pairKey({ keys: [leaf.key], certificates });

/** Returns the files of an output for each value of one option. */
async function writtenWith(output: (typeof OUTPUT_KINDS)[number], options: readonly object[]) {
  return Promise.all(options.map((option) => writeOutput(output, material, { seed, ...option })));
}

function distinct(files: readonly Buffer[]): number {
  return new Set(files.map((file) => file.toString('base64'))).size;
}

describe.each(OUTPUT_KINDS)('the traits of the output %s', (output) => {
  const traits = traitsOf(output);

  it('name its encoding', async () => {
    const file = await writeOutput(output, material, { seed });
    expect(file.toString('latin1').startsWith('-----BEGIN ')).toBe(traits.encoding === 'pem');
    if (traits.encoding === 'der') expect(new X509Certificate(file).raw).toEqual(file);
    if (traits.encoding === 'pkcs12') expect((await readBundle(file)).format).toBe('pkcs12');
  });

  it('name its contents', async () => {
    const bundle = await readBundle(await writeOutput(output, material, { seed }));
    expect(bundle.keys.length > 0).toBe(traits.holdsKey);
    expect(bundle.certificates.length > 0).toBe(traits.holdsCertificates);
  });

  it('name the settings that change the file', async () => {
    const formats = await writtenWith(
      output,
      KEY_FORMATS.filter((keyFormat) => keyFormat !== 'sec1').map((keyFormat) => ({ keyFormat })),
    );
    expect(distinct(formats) > 1).toBe(traits.takesKeyFormat);
    const passwords = await writtenWith(output, [{}, { password: new Secret('one') }]);
    expect(distinct(passwords) > 1).toBe(traits.takesPassword);
    const profiles = await writtenWith(
      output,
      PKCS12_PROFILES.map((pfxForm) => ({ pfxForm })),
    );
    if (traits.takesProfile) expect(distinct(profiles)).toBeGreaterThan(1);
  });
});
