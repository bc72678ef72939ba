/** Amazon resource names of the embedded platform: region `us-east-1`, account `000000000000`. */

export const REGION = 'us-east-1';
export const ACCOUNT = '000000000000';
const PREFIX = `arn:aws:states:${REGION}:${ACCOUNT}`;

export const ROLE_ARN = `arn:aws:iam::${ACCOUNT}:role/agentmill`;

export const machineArn = (name: string): string => `${PREFIX}:stateMachine:${name}`;
/** `machine` is a machine's name, or `<machine>/<label>` for a child of a Distributed Map. */
export const executionArn = (machine: string, name: string): string =>
  `${PREFIX}:execution:${machine}:${name}`;
export const mapRunArn = (machine: string, label: string, uuid: string): string =>
  `${PREFIX}:mapRun:${machine}/${label}:${uuid}`;

const MACHINE = /:stateMachine:(.+)$/;
const EXECUTION = /:execution:([^:]+):([^:]+)$/;

/** The machine's name of a machine ARN; any other text is a name already. */
export const machineNameOf = (arnOrName: string): string => MACHINE.exec(arnOrName)?.[1] ?? arnOrName;

/** The last part of an ARN: an execution's name, a map run's UUID. */
export const lastPartOf = (arn: string): string => arn.slice(arn.lastIndexOf(':') + 1);

/** The machine (or `<machine>/<label>`) of an execution's ARN. */
export const machineOfExecution = (arn: string): string => EXECUTION.exec(arn)?.[1] ?? '';
