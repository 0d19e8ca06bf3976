import { isPlaceholder } from '../spc/key-vault-field.ts';
import { type ExpectedFile, fillDirectoryId, type ReadField, readField } from './field.ts';
import { type FoundKeyVault, findKeyVaults, type Source } from './find.ts';
import { labelOf, untaken } from './names.ts';
import type { Remark } from './remark.ts';
import { type Role, roleAt } from './roles.ts';
import { type SecretObject, secretObjectsOf } from './secret-objects.ts';

/** Choices of the user. */
export interface RenderOptions {
  /** Replaces placeholders such as `<AKV directory ID>` in `vault.directoryId`. */
  readonly directoryId?: string;
  /** Adds the `secretObjects` that make the driver keep Kubernetes Secrets. */
  readonly syncSecrets?: boolean;
}

/** A volume of the pod's spec. */
export interface CsiVolume {
  readonly name: string;
  readonly csi: {
    readonly driver: 'secrets-store.csi.k8s.io';
    readonly readOnly: true;
    readonly volumeAttributes: { readonly secretProviderClass: string };
    readonly nodePublishSecretRef?: { readonly name: string };
  };
}

/** A mount of the container's spec. */
export interface VolumeMount {
  readonly name: string;
  readonly mountPath: string;
  readonly readOnly: true;
}

/** What becomes of one `keyVault` object. */
export interface RenderedVolume {
  /** Name of the SecretProviderClass, of the volume and of synced Secrets: a DNS label. */
  readonly name: string;
  /** Empty where the resource names none. */
  readonly namespace: string;
  /** Where the object stands, for people: `BrokerListener front, spec.tls.keyVault`. */
  readonly origin: string;
  /** `spec.parameters` of the SecretProviderClass, `keyVault` first. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly secretObjects: readonly SecretObject[];
  readonly volume: CsiVolume;
  readonly volumeMount: VolumeMount;
  readonly files: readonly ExpectedFile[];
}

/** What came of all sources: volumes in the order of the text, and what there is to say. */
export interface Rendering {
  readonly volumes: readonly RenderedVolume[];
  readonly remarks: readonly Remark[];
}

/** Turns every `keyVault` object of the sources into a SecretProviderClass with its volume. */
export function render(sources: readonly Source[], options: RenderOptions = {}): Rendering {
  const taken = new Map<string, Set<string>>();
  const labelled = new Set<string>();
  const volumes: RenderedVolume[] = [];
  const remarks: Remark[] = [];
  for (const source of sources) {
    const scan = findKeyVaults(source);
    remarks.push(...scan.remarks);
    for (const found of scan.found) {
      const names = taken.get(found.resource.namespace) ?? new Set();
      taken.set(found.resource.namespace, names);
      const rendered = renderOne(found, names, options);
      names.add(rendered.volume.name);
      volumes.push(rendered.volume);
      remarks.push(...rendered.remarks, ...labelRemark(rendered.volume, found, labelled));
    }
  }
  return { volumes, remarks };
}

function renderOne(
  found: FoundKeyVault,
  taken: ReadonlySet<string>,
  { directoryId, syncSecrets = false }: RenderOptions,
): { volume: RenderedVolume; remarks: readonly Remark[] } {
  const { resource, path } = found;
  const text = directoryId === undefined ? found.text : fillDirectoryId(found.text, directoryId);
  const role = roleAt(path);
  const siblings = siblingsOf(role, readField(text, {}).names);
  const field = readField(text, siblings);
  const name = untaken(labelOf(namePartsOf(found, field, role)), taken);
  const secretName = field.identity.kind === 'service-principal' ? field.identity.secretName : '';
  const volume: RenderedVolume = {
    name,
    namespace: resource.namespace,
    origin: originOf(found),
    parameters: { keyVault: text, ...siblings },
    secretObjects: syncSecrets ? secretObjectsOf(name, field) : [],
    volume: {
      name,
      csi: {
        driver: 'secrets-store.csi.k8s.io',
        readOnly: true,
        volumeAttributes: { secretProviderClass: name },
        ...(secretName === '' ? {} : { nodePublishSecretRef: { name: secretName } }),
      },
    },
    volumeMount: { name, mountPath: `/mnt/secrets-store/${name}`, readOnly: true },
    files: field.files,
  };
  const remarks = [...findingRemarks(found, field), ...roleRemarks(found, field, role)];
  return { volume, remarks: [...remarks, ...syncRemarks(found, volume)] };
}

function namePartsOf({ resource, path }: FoundKeyVault, field: ReadField, role: Role) {
  const positions = path.filter((element) => typeof element === 'number');
  return {
    kind: resource.kind || 'keyVault',
    name: resource.name || (field.objectNames[0] ?? ''),
    role: role.name,
    positions,
  };
}

/** The parameters beside `keyVault`: only those that differ from what the provider does anyway. */
function siblingsOf(role: Role, names: readonly string[]): Readonly<Record<string, string>> {
  if (role.kind === 'value' && names.includes('vaultSecret')) return { fileName: role.fileName };
  const holdsCertificate = names.some((name) => name !== 'vaultSecret' && /^vaultC/.test(name));
  if (role.kind === 'certificate' && role.layout === 'client' && holdsCertificate) return { fileLayout: 'client' };
  return {};
}

function originOf({ resource, path }: FoundKeyVault): string {
  const place = path.map((element) => (typeof element === 'number' ? `[${element}]` : `.${element}`)).join('');
  const who = `${resource.kind} ${resource.name}`.trim();
  return `${who === '' ? '' : `${who}, `}${`${place}.keyVault`.slice(1)}`;
}

function findingRemarks(found: FoundKeyVault, { findings }: ReadField): readonly Remark[] {
  return findings.map(({ severity, message, line = 1 }) => ({
    severity: severity === 'error' ? 'error' : 'note',
    source: found.source,
    line: found.inPlace ? found.line + line - 1 : found.line,
    message: `${originOf(found)}: ${message}`,
  }));
}

function noteAt(found: FoundKeyVault, message: string): Remark {
  return { severity: 'note', source: found.source, line: found.line, message: `${originOf(found)}: ${message}` };
}

function roleRemarks(found: FoundKeyVault, { names, files }: ReadField, role: Role): readonly Remark[] {
  const note = (message: string) => noteAt(found, message);
  const remarks: Remark[] = [];
  const wantsValue = role.kind === 'value';
  const hasValue = names.includes('vaultSecret');
  const delivered = files.map(({ path }) => path).join(', ');
  if (wantsValue && !hasValue && files.length > 0) {
    remarks.push(note(`${role.fileName} is made from vaultSecret, which is not given; the volume holds ${delivered}`));
  }
  if (role.kind === 'certificate' && hasValue) {
    const hint = 'rename vaultSecret to vaultCert to have certificate, key and chain in files of their own';
    remarks.push(note(`a certificate is expected here, and the volume holds ${delivered}; ${hint}`));
  }
  const also = wantsValue ? role.alsoExpected : undefined;
  if (also !== undefined && !files.some(({ path }) => path === also)) {
    remarks.push(note(`the volume holds ${delivered} only; for a file "${also}" add the field ${also} beside vault`));
  }
  return remarks;
}

function syncRemarks(found: FoundKeyVault, { files, secretObjects }: RenderedVolume): readonly Remark[] {
  const doubtful = files.flatMap(({ path, presence }) => (presence === 'with-key' ? [path] : []));
  if (secretObjects.length === 0 || doubtful.length === 0) return [];
  const reason = `secretObjects names ${doubtful.join(' and ')}, which exist only if the secret also holds a private key`;
  return [noteAt(found, `${reason}; remove them if it does not, or the driver syncs nothing`)];
}

function labelRemark(volume: RenderedVolume, found: FoundKeyVault, labelled: Set<string>): readonly Remark[] {
  const secret = volume.volume.csi.nodePublishSecretRef?.name;
  const key = `${volume.namespace}/${secret}`;
  if (secret === undefined || isPlaceholder(secret) || labelled.has(key)) return [];
  labelled.add(key);
  const namespace = volume.namespace === '' ? '' : ` -n ${volume.namespace}`;
  const message =
    'drivers up to v1.5 rotate only with a credentials Secret that is labelled: ' +
    `kubectl label secret ${secret}${namespace} secrets-store.csi.k8s.io/used=true`;
  return [{ severity: 'note', source: found.source, line: found.line, message }];
}
