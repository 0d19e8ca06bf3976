/** Reads what the last stage of the Dockerfile says of the image, for images that tests make without a container engine. */
import { textOf } from './markdown.ts';

/** What the image says of itself. */
export interface ImageConfig {
  readonly entrypoint: readonly string[];
  /** Assignments, `NAME=value`. */
  readonly env: readonly string[];
  /** Assignments, `name=value`. */
  readonly labels: readonly string[];
}

/** Returns entry point, environment and labels of the Dockerfile's last stage. */
export function imageConfig(): ImageConfig {
  const [stage = ''] = textOf('Dockerfile')
    .split(/^FROM /m)
    .slice(-1);
  const all = (instruction: string) =>
    [...stage.matchAll(new RegExp(`^${instruction} (.*)$`, 'gm'))].map(([, rest = '']) => rest);
  return {
    entrypoint: JSON.parse(all('ENTRYPOINT')[0] ?? '[]') as string[],
    env: all('ENV'),
    labels: all('LABEL').map((label) => label.replace(/="(.*)"$/, '=$1')),
  };
}
