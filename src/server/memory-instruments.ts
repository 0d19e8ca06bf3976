/**
 * Registers the metrics of the memory budget with the Prometheus library. `instruments.ts` calls it.
 */

import { Gauge, type Registry } from 'prom-client';
import type { BudgetFigures } from '../base/memory-budget.ts';

/** Registers the gauges. `memory` returns the figures of now. */
export function addMemory(registry: Registry, memory: () => BudgetFigures): void {
  const gauges: readonly (readonly [name: string, help: string, figure: keyof BudgetFigures])[] = [
    ['akv_csi_memory_budget_bytes', 'Memory that everything under way may take together', 'limit'],
    ['akv_csi_memory_used_bytes', 'Memory that Mounts, requests and answers under way are charged for', 'used'],
    ['akv_csi_memory_waiting_mounts', 'Mounts that wait for memory', 'waiting'],
  ];
  for (const [name, help, figure] of gauges) {
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(memory()[figure]);
      },
    });
  }
}
