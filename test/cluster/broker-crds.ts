/**
 * Definitions of the custom resources that `render` prints or reads and that no package here brings: the broker's, whose
 * schema is not public, and SecretSync with the fields and rules of secrets-store-sync-controller v0.0.4.
 */

interface Definition {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly spec: object;
}

function definition({ group, version, kind, spec }: Definition): object {
  const singular = kind.toLowerCase();
  const schema = { openAPIV3Schema: { type: 'object', properties: { spec } } };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    // A group below k8s.io needs the word of its reviewers; any text is one.
    metadata: { name: `${singular}s.${group}`, annotations: { 'api-approved.kubernetes.io': 'unapproved, for tests' } },
    spec: {
      group,
      scope: 'Namespaced',
      names: { kind, singular, plural: `${singular}s` },
      versions: [{ name: version, served: true, storage: true, schema }],
    },
  };
}

const text = (pattern: string) => ({ type: 'string', minLength: 1, maxLength: 253, pattern });
const path = text('^[A-Za-z0-9.]([-A-Za-z0-9]+([-._a-zA-Z0-9]?[A-Za-z0-9])*)?(\\/([0-9]+))*$');
const name = text('^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$');
const item = {
  type: 'object',
  required: ['sourcePath', 'targetKey'],
  properties: { sourcePath: path, targetKey: path },
};

const secretSync = {
  type: 'object',
  required: ['secretObject', 'secretProviderClassName', 'serviceAccountName'],
  properties: {
    secretProviderClassName: name,
    serviceAccountName: name,
    secretObject: {
      type: 'object',
      required: ['data', 'type'],
      properties: {
        type: { type: 'string', minLength: 1 },
        data: {
          type: 'array',
          minItems: 1,
          items: item,
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['targetKey'],
        },
      },
    },
  },
};

const BROKER_KINDS = ['BrokerListener', 'BrokerAuthentication', 'MqttBridgeConnector', 'KafkaConnector'];

/** The definitions, as text for `kubectl apply`. */
export const BROKER_CRDS: string = [
  ...BROKER_KINDS.map((kind) =>
    definition({
      group: 'mq.iotoperations.azure.com',
      version: 'v1beta1',
      kind,
      spec: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
    }),
  ),
  definition({ group: 'secret-sync.x-k8s.io', version: 'v1alpha1', kind: 'SecretSync', spec: secretSync }),
]
  .map((object) => JSON.stringify(object))
  .join('\n---\n');
