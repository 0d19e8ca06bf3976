/** A port that takes no connection any more. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';

/** A port of this machine that answers no connection: its process stands still, and its queue is full. */
export async function deafPort(host = '127.0.0.1'): Promise<{ readonly port: number; close(): void }> {
  const program =
    "require('net').createServer().listen({port:0,host:process.argv[1],backlog:1},function(){console.log(this.address().port)})";
  const child = spawn(process.execPath, ['-e', program, host], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [text] = await once(child.stdout, 'data');
  const port = Number(String(text));
  child.kill('SIGSTOP');
  const fillers = Array.from({ length: 4 }, () => connect(port, host).on('error', () => {}));
  await Promise.all(fillers.slice(0, 2).map((filler) => once(filler, 'connect')));
  return {
    port,
    close() {
      for (const filler of fillers) filler.destroy();
      child.kill('SIGKILL');
    },
  };
}
