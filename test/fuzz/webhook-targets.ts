/**
 * The parser of what API servers, and everybody else in a cluster, send to the webhook.
 */
import { mutate } from '../../src/webhook/mutate.ts';
import { BadReview, readReview, writeReview } from '../../src/webhook/review.ts';
import { STAND_IN_CLOUD, validate } from '../../src/webhook/validate.ts';
import { CLASSES } from '../render/into/pods.ts';
import { admissionReview } from '../support/reviews.ts';
import { CLASSIC, DEFAULTS } from '../support/spc.ts';
import type { Target } from './fuzz.ts';

/** Reviews of both paths. `words` are those of JSON. */
export function webhookTargets(words: readonly string[]): readonly Target[] {
  const validation = { action: 'deny', defaults: DEFAULTS, providerNames: ['azure'] } as const;
  const readCloudFile = async () => STAND_IN_CLOUD;
  const mutation = { classes: { list: async () => CLASSES }, watchImage: 'registry.example/akv' };
  const never = new AbortController().signal;
  const metadata = { name: 'a', namespace: 'apps' };
  const annotations = { 'akv-csi/mount': 'main=BrokerListener/front:/a', 'akv-csi/watch': 'HUP main' };
  const kind = 'SecretProviderClass';
  const vault = { name: 'kv', directoryId: 't', credentials: { servicePrincipalLocalSecretName: 's' } };
  const samples = [
    { apiVersion: 'v1', kind: 'Pod', metadata: { ...metadata, annotations }, spec: { containers: [{ name: 'main' }] } },
    { apiVersion: 'secrets-store.csi.x-k8s.io/v1', kind, metadata, spec: { provider: 'azure', parameters: CLASSIC } },
    {
      apiVersion: 'mq.iotoperations.azure.com/v1beta1',
      kind: 'BrokerListener',
      metadata,
      spec: { tls: { keyVault: { vault, vaultCert: { name: 'c' } } } },
    },
  ].map((object) => Buffer.from(JSON.stringify(admissionReview(object, { uid: 'u' }))));
  return [
    {
      name: 'AdmissionReview',
      samples,
      words: [...words, '"akv-csi/mount":', '"containers":', '"keyVault":', '"oldObject":', '"UPDATE"'],
      parse: async (input) => {
        const review = readReview(input.toString('utf8'));
        const verdicts = [
          await validate(review, { ...validation, readCloudFile }),
          await mutate(review, mutation, never),
        ];
        return verdicts.map((verdict) => writeReview(review, verdict));
      },
      refusals: [BadReview],
    },
  ];
}
