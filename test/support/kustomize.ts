/** Finds the real kustomize for tests that compare with it. */
import { spawnSync } from 'node:child_process';

/** Returns true if kustomize is there. With REQUIRE_TOOLS set, a missing one is an error. */
export function findKustomize(): boolean {
  const found = spawnSync('kustomize', ['version'], { stdio: 'ignore' }).status === 0;
  if (!found && process.env.REQUIRE_TOOLS) throw new Error('kustomize is not on the PATH, and REQUIRE_TOOLS is set');
  if (!found) console.warn('skipped: there is no kustomize on the PATH');
  return found;
}
