import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import protobuf from 'protobufjs';
import { describe, expect, it } from 'vitest';
import { csiDriverProvider, health, MESSAGES } from '../../src/wire/contract.ts';
import { rounds } from '../support/rounds.ts';

const ROUNDS = rounds(200, 2000);

/** The contract as protobufjs reads it from the files of the driver and of gRPC. */
const proto = (file: string) => protobuf.parse(readFileSync(`proto/${file}`, 'utf8')).root;
const provider = proto('service.proto');
const healthRoot = proto('health.proto');

/** What `HealthListResponse` holds is left out, because the provider does not answer `List`. */
const NAMES = Object.keys(MESSAGES).filter((name) => name !== 'HealthListResponse') as (keyof typeof MESSAGES)[];

function typeOf(name: string): protobuf.Type {
  const root = name.startsWith('Health') ? healthRoot : provider;
  return root.lookupType(name);
}

/** Messages of a type of a `.proto` file, with every field in some of them. */
function messagesOf(type: protobuf.Type): fc.Arbitrary<Record<string, unknown>> {
  const fields = type.fieldsArray.map((field) => {
    const value = valuesOf(field.resolve());
    return [field.name, field.repeated ? fc.array(value, { maxLength: 3 }) : value] as const;
  });
  return fc.record(Object.fromEntries(fields));
}

function valuesOf({ type, resolvedType }: protobuf.Field): fc.Arbitrary<unknown> {
  if (type === 'string') return fc.string({ unit: 'grapheme' });
  if (type === 'int32') return fc.integer();
  if (type === 'bytes') return fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array));
  if (resolvedType instanceof protobuf.Enum) return fc.constantFrom(...Object.keys(resolvedType.values));
  if (resolvedType instanceof protobuf.Type) return messagesOf(resolvedType);
  throw new Error(`there are no values for ${type}`);
}

/** The bytes of a message in which every field of a type is filled. */
function filledBytes(type: protobuf.Type): Uint8Array {
  const isFilled = (value: unknown): boolean =>
    typeof value === 'object' && value !== null
      ? Object.keys(value).length > 0 && Object.values(value).every(isFilled)
      : value !== '';
  const [sample = {}] = fc.sample(
    messagesOf(type).filter((message) => type.fieldsArray.length === 0 || isFilled(message)),
    { numRuns: 1, seed: 1 },
  );
  return type.encode(type.fromObject(sample)).finish();
}

const AS_OBJECTS = { enums: String, defaults: true, arrays: true } as const;

describe.each(NAMES)('%s', (name) => {
  const type = typeOf(name);
  const message = MESSAGES[name];

  it('is written so that protobufjs reads it by the proto file', () => {
    fc.assert(
      fc.property(messagesOf(type), (value) => {
        expect(type.toObject(type.decode(message.encode(value)), AS_OBJECTS)).toEqual(value);
      }),
      { numRuns: ROUNDS },
    );
  });

  it('is read as protobufjs wrote it by the proto file', () => {
    fc.assert(
      fc.property(messagesOf(type), (value) => {
        expect(message.decode(type.encode(type.fromObject(value)).finish())).toEqual(value);
      }),
      { numRuns: ROUNDS },
    );
  });

  it('has empty fields where the bytes have none, and is empty bytes if all are', () => {
    const empty = message.decode(Buffer.alloc(0));
    expect(empty).toEqual(type.toObject(type.create(), AS_OBJECTS));
    expect(message.encode(empty)).toHaveLength(0);
  });

  it('throws for bytes that end within a field, and for no others', () => {
    const bytes = filledBytes(type);
    for (let length = 0; length < bytes.length; length++) {
      const part = Buffer.from(bytes.subarray(0, length));
      const thrown = (decode: () => unknown) => {
        try {
          decode();
          return false;
        } catch {
          return true;
        }
      };
      expect(thrown(() => message.decode(part))).toBe(thrown(() => type.decode(part)));
    }
  });
});

describe('a message with fields that the table lacks', () => {
  const { VersionRequest } = MESSAGES;
  const field = (bytes: number[]) => Buffer.from([...bytes, ...VersionRequest.encode({ version: 'v' })]);

  it.each([
    ['an integer', [0x38, 0x96, 0x01]],
    ['eight bytes', [0x39, 1, 2, 3, 4, 5, 6, 7, 8]],
    ['a text', [0x3a, 2, 0x61, 0x62]],
    ['a group', [0x3b, 0x38, 0x01, 0x3c]],
    ['four bytes', [0x3d, 1, 2, 3, 4]],
    ['a known number of another type', [0x08, 0x01]],
  ])('is read without %s', (_, bytes) => {
    expect(VersionRequest.decode(field(bytes))).toEqual({ version: 'v' });
  });

  it.each([
    ['groups nested without end', Array.from({ length: 10_000 }, () => 0x3b)],
    ['the end of a group that did not begin', [0x3c]],
    ['an unknown wire type', [0x3f]],
  ])('is refused with %s', (_, bytes) => {
    expect(() => VersionRequest.decode(field(bytes))).toThrow();
  });
});

describe('the services', () => {
  const methodsOf = (root: protobuf.Root, name: string) =>
    root.lookupService(name).methodsArray.map((method) => {
      const path = `/${name}/${method.name}`;
      const streams = { requestStream: method.requestStream === true, responseStream: method.responseStream === true };
      return [method.name, { path, ...streams }, method.requestType, method.responseType] as const;
    });

  it.each([...methodsOf(provider, 'v1alpha1.CSIDriverProvider'), ...methodsOf(healthRoot, 'grpc.health.v1.Health')])(
    'have %s as in the proto file',
    (name, shape, request, response) => {
      const services: Readonly<Record<string, object>> = { ...csiDriverProvider, ...health };
      expect(services[name]).toMatchObject(shape);
      expect(services[name]).toHaveProperty('responseSerialize', messageNamed(response).encode);
      expect(services[name]).toHaveProperty('requestSerialize', messageNamed(request).encode);
    },
  );

  it('have no other method', () => {
    const count = methodsOf(provider, 'v1alpha1.CSIDriverProvider').length;
    expect(Object.keys(csiDriverProvider)).toHaveLength(count);
    expect(Object.keys(health)).toHaveLength(methodsOf(healthRoot, 'grpc.health.v1.Health').length);
  });

  const messageNamed = (name: string) => MESSAGES[name as keyof typeof MESSAGES];
});

describe('the request of a Mount as the server reads it', () => {
  const request = {
    attributes: '{}',
    secrets: '{"clientsecret":"s"}',
    targetPath: '/t',
    permission: '420',
    currentObjectVersion: [{ id: 'secret/a', version: '1' }],
  };

  it('has no versions, and its bytes are overwritten', () => {
    const bytes = csiDriverProvider.Mount.requestSerialize(request);
    const { currentObjectVersion, ...rest } = request;
    expect(csiDriverProvider.Mount.requestDeserialize(bytes)).toEqual(rest);
    expect(currentObjectVersion).toHaveLength(1);
    expect(bytes.every((byte) => byte === 0)).toBe(true);
  });

  it('is overwritten also if it cannot be read', () => {
    const bytes = csiDriverProvider.Mount.requestSerialize(request).subarray(0, -2);
    expect(() => csiDriverProvider.Mount.requestDeserialize(bytes)).toThrow();
    expect(bytes.every((byte) => byte === 0)).toBe(true);
  });
});
