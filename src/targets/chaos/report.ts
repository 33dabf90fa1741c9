/** The target's state in words: for status, for message `list`, and as JSON for programs. */

import { OP_NAMES } from '../../core/bio.ts';
import type { RuleState } from './decide.ts';

export interface ChaosFacts {
  power: 'on' | 'off';
  stalled: boolean;
  /** Not begun yet. */
  waitingRequests: number;
  /** Acknowledged and not landed. */
  unflushedWrites: number;
  unflushedSectors: number;
  powerCuts: number;
  /** By operation, while there were rules. */
  requestCounts: readonly number[];
  rules: readonly RuleState[];
}

/** `<on|off|stalled> <waiting> <unflushed> <#rules> [<rule>:<fired>/<met>]...` */
export function statusText(facts: ChaosFacts): string {
  const { power, stalled, waitingRequests, unflushedWrites, rules } = facts;
  const state = power === 'on' && stalled ? 'stalled' : power;
  const counts = rules.map((rule) => ` ${rule.label}:${rule.firedCount}/${rule.metCount}`);
  return `${state} ${waitingRequests} ${unflushedWrites} ${rules.length}${counts.join('')}`;
}

export function listText({ rules }: ChaosFacts): string {
  return rules
    .map(({ rule, firedCount, metCount }, index) => {
      return `${index + 1}: ${rule.text} ${firedCount}/${metCount}\n`;
    })
    .join('');
}

export function statisticsText({ rules, requestCounts, ...facts }: ChaosFacts): string {
  const requests = Object.fromEntries(
    OP_NAMES.map((name, op) => [name, requestCounts[op]] as const).filter(
      ([name]) => name !== 'block-status',
    ),
  );
  const ruleFacts = rules.map(({ rule, metCount, firedCount }, index) => ({
    number: index + 1,
    ...(rule.name !== null && { name: rule.name }),
    effect: rule.effectName,
    rule: rule.text,
    met: metCount,
    fired: firedCount,
  }));
  return JSON.stringify({ ...facts, requests, rules: ruleFacts });
}
