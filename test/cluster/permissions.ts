// Asks the API server what a ServiceAccount may do. The tests of the chart's roles use it.
import type { ApiServer } from './api-server.ts';

/**
 * Returns what a ServiceAccount (`<namespace>:<name>`) may do beyond what every user may, in order: for each resource the
 * columns of `kubectl auth can-i --list`, which are the resource, URLs, names and verbs.
 */
export async function permissionsOf(
  { kubectl }: Pick<ApiServer, 'kubectl'>,
  account: string,
): Promise<readonly (readonly string[])[]> {
  const listed = await kubectl(['auth', 'can-i', '--list', '--no-headers', `--as=system:serviceaccount:${account}`]);
  return listed
    .split('\n')
    .filter((line) => !/^ |^$|^selfsubject/.test(line))
    .toSorted()
    .map((line) => line.split(/ {2,}/));
}
