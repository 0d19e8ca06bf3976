// Decodes a Secret from Kubernetes' protobuf form, in which the driver sends it. api-server.ts calls it.
import protobuf from 'protobufjs';
import proto from './kubernetes.proto?raw';
import type { KubeObject } from './objects.ts';

const MAGIC = Buffer.from('k8s\0');
const { root } = protobuf.parse(proto);
const unknownType = root.lookupType('Unknown');
const secretType = root.lookupType('Secret');

/** Returns the JSON form of a Secret. */
export function decodeSecret(body: Buffer): KubeObject {
  if (!body.subarray(0, MAGIC.length).equals(MAGIC)) throw new Error('the body is not Kubernetes protobuf');
  const envelope = unknownType.toObject(unknownType.decode(body.subarray(MAGIC.length)));
  const secret = secretType.toObject(secretType.decode(envelope.raw), { bytes: String });
  return { apiVersion: 'v1', kind: 'Secret', metadata: secret.metadata, ...secret };
}
