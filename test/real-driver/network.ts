// A network of the provider's own, joined to that of the tests by a pair of virtual Ethernet devices. A test takes the
// link down, and packets vanish: no side gets an error or a reset. network-cut.ci.test.ts uses it.
import { execFileSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The link, and how a process gets behind it. */
export interface Network {
  /** The command that runs a program behind the link, in front of it. */
  readonly by: readonly string[];
  /** Takes the link down. */
  cut(): void;
  /** Puts the link up again. */
  mend(): void;
}

/** Ethernet address of the end in the network of the tests. */
const OUTER_MAC = '02:00:00:00:00:01';
/**
 * Makes the pair from inside. The neighbour is permanent, because a name that nobody answers for would be an error after
 * three seconds. The pair ends with the program.
 */
const BEHIND = `set -e
mount --bind "$HOSTS" /etc/hosts
ip link set lo up
ip link add inner type veth peer name "$LINK" address ${OUTER_MAC} netns "$OUTSIDE"
ip address add "$INNER/30" dev inner
ip link set inner up
ip neighbour add "$OUTER" lladdr ${OUTER_MAC} dev inner nud permanent
nsenter --target "$OUTSIDE" --net sh -c 'ip address add "$OUTER/30" dev "$LINK"; ip link set "$LINK" up'
exec "$@"`;

/**
 * Prepares the network. `directory` gets the hosts file, in which `names` have the address of the tests' end: a server
 * has to listen on all addresses.
 */
export function provideNetwork(directory: string, names: readonly string[]): Network {
  // 198.18.0.0/15 is for tests of networks (RFC 2544).
  const network = `198.${18 + randomInt(2)}.${randomInt(256)}`;
  const block = 4 * randomInt(64);
  const [outer, inner] = [`${network}.${block + 1}`, `${network}.${block + 2}`];
  const link = `akv${process.pid.toString(36)}${randomInt(36 ** 4).toString(36)}`;
  const hosts = join(directory, 'hosts');
  writeFileSync(hosts, names.map((name) => `${outer} ${name}\n`).join(''));
  const variables = { HOSTS: hosts, LINK: link, OUTSIDE: process.pid, OUTER: outer, INNER: inner };
  const settings = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
  const set = (state: 'up' | 'down') => execFileSync('ip', ['link', 'set', link, state]);
  return {
    by: ['env', ...settings, 'unshare', '--net', '--mount', 'sh', '-c', BEHIND, 'sh'],
    cut: () => void set('down'),
    mend: () => void set('up'),
  };
}
