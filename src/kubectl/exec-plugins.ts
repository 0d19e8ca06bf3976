/**
 * Runs the login plugins of a kubeconfig (`exec`), such as kubelogin, as kubectl does: the user sees what they print and
 * can answer, and they know the version of the API. `kubeconfig.ts` calls it. Refuses plugins that do not end, and those
 * that print too much.
 */

import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import type { KubeConfig } from '@kubernetes/client-node/dist/config.js';
import { ExecAuth } from '@kubernetes/client-node/dist/exec_auth.js';
import { ProviderError, systemCodeOf } from '../base/errors.ts';
import { isJsonObject } from '../base/json.ts';
import { clip } from '../base/words.ts';

/** A person may have to enter a code in a browser. */
const LOGIN_TIMEOUT_MS = 300_000;
/** A credential, and what a plugin prints for the user. */
const MAX_OUTPUT_BYTES = 1024 * 1024;
const DEFAULT_API = 'client.authentication.k8s.io/v1';

/** How plugins are run. */
export interface PluginOptions {
  /** Takes the standard error of a plugin. */
  readonly stderr: (text: string) => void;
  /** The time limit of a login in milliseconds. Absent: five minutes, in which the user can be asked. */
  readonly loginMs?: number | undefined;
}

/** Makes the configuration start its plugins with the options. */
export function usePluginsOf(config: KubeConfig, { stderr, loginMs }: PluginOptions): void {
  const plugin = config.getCurrentUser()?.exec;
  if (!isJsonObject(plugin)) return;
  const apiVersion = typeof plugin.apiVersion === 'string' ? plugin.apiVersion : DEFAULT_API;
  const interactive = loginMs === undefined && process.stdin.isTTY === true && plugin.interactiveMode !== 'Never';
  const info = JSON.stringify({ apiVersion, kind: 'ExecCredential', spec: { interactive } });
  let stopped: string | undefined;
  const start = (command: string, args: readonly string[] = [], options: SpawnOptions = {}) => {
    const child = spawn(command, args, {
      ...options,
      env: { ...process.env, ...options.env, KUBERNETES_EXEC_INFO: info },
      stdio: [interactive ? 'inherit' : 'ignore', 'pipe', 'pipe'],
    });
    child.stderr?.on('data', (chunk: string | Buffer) => stderr(String(chunk)));
    stopped = undefined;
    bound(child, loginMs ?? LOGIN_TIMEOUT_MS, (reason) => {
      stopped ??= reason;
    });
    return child;
  };
  // The library keeps its ways to log in private, and has no option for this.
  const ways: unknown = Reflect.get(config, 'authenticators');
  const login = Array.isArray(ways) ? ways.find((way): way is ExecAuth => way instanceof ExecAuth) : undefined;
  if (login === undefined) return;
  Object.assign(login, { execFn: start });
  const original = login.applyAuthentication.bind(login);
  login.applyAuthentication = async (user, options) => {
    try {
      await original(user, options);
    } catch (error) {
      throw new ProviderError('ERR_AUTHENTICATION', pluginFailure(error, plugin, stopped));
    }
  };
}

/**
 * Kills a plugin that runs or prints too long, and tells the reason. Its pipes are closed too: the processes that it
 * started may hold them open.
 */
function bound(child: ChildProcess, ms: number, tell: (reason: string) => void): void {
  const stop = (reason: string) => {
    tell(reason);
    child.kill('SIGKILL');
    for (const stream of [child.stdout, child.stderr]) stream?.destroy();
  };
  const timer = setTimeout(stop, ms, `did not end within ${ms / 1000} s`);
  child.once('close', () => clearTimeout(timer));
  let bytes = 0;
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: string | Buffer) => {
      bytes += Buffer.byteLength(chunk);
      if (bytes > MAX_OUTPUT_BYTES) stop(`printed more than ${MAX_OUTPUT_BYTES} bytes`);
    });
}

/** Returns the reason without the output of the plugin: the user has seen its errors, and the rest may be a token. */
function pluginFailure(
  error: unknown,
  { command, installHint }: Readonly<Record<string, unknown>>,
  stopped: string | undefined,
): string {
  const name = `its login plugin "${clip(String(command ?? ''))}"`;
  if (systemCodeOf(error) === 'ENOENT') {
    const hint = typeof installHint === 'string' ? clip(installHint.trim()) : 'install it, or correct its path';
    return `${name} of the kubeconfig is not found; ${hint}`;
  }
  return `${name} ${stopped ?? 'failed or did not print an ExecCredential'}; run kubectl get pods to see whether kubectl can log in`;
}
