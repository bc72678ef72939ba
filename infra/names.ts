/** Conventional names: stacks refer to each other by them, so a workflow comes or goes alone. All pure. */

export const stackName = (stage: string, part: string): string => `agentmill-${stage}-${part}`;

/** At most 64 characters; checkCatalog refuses longer ones. */
export const functionName = (stage: string, workflow: string, task: string): string =>
  `agentmill-${stage}-${workflow}-${task}`;

/** At most 80 characters. */
export const machineName = (stage: string, workflow: string): string => `agentmill-${stage}-${workflow}`;

export const machinePrefix = (stage: string): string => `agentmill-${stage}-`;

/** EventBridge rules that send to `starts`; its queue policy names this prefix. */
export const rulePrefix = (stage: string): string => `agentmill-${stage}-starts-`;

export const queueName = (stage: string, queue: string): string => `agentmill-${stage}-${queue}`;

export const logGroupName = (stage: string, workflow: string, task: string): string =>
  `/agentmill/${stage}/${workflow}/${task}`;

/** The prefix keeps resource policies of log delivery from growing with every machine. */
export const machineLogGroupName = (stage: string, workflow: string): string =>
  `/aws/vendedlogs/states/agentmill-${stage}-${workflow}`;

/** Secret of a model server's key, made by an operator. */
export const modelSecretName = (stage: string, model: string): string => `agentmill/${stage}/models/${model}`;
