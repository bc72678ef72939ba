import { digest } from './identity.ts';
import type { Stack, StackInput, Stacks } from './stacks.ts';
import { LIMITS } from './template.ts';
import { ACCOUNT, AwsFault, PARTITION, type Any } from './types.ts';

/** The actions of CloudFormation that `cdk bootstrap`, `deploy` and `destroy` call. */
export type Actions = Record<string, (input: Any) => Any>;

interface ChangeSet {
  id: string;
  name: string;
  stack: Stack;
  type: string;
  status: string;
  reason?: string;
  changes: Any[];
  read: ReturnType<Stacks['read']>;
  tags: Any[];
}

export function cloudformation(stacks: Stacks): Actions {
  const changeSets = new Map<string, ChangeSet>();
  const changeSet = ({
    ChangeSetName,
    StackName,
  }: {
    ChangeSetName: string;
    StackName?: string;
  }): ChangeSet => {
    const found =
      changeSets.get(ChangeSetName) ??
      [...changeSets.values()].findLast(
        ({ name, stack }) => name === ChangeSetName && [stack.name, stack.id].includes(StackName ?? ''),
      );
    if (!found) throw new AwsFault('ChangeSetNotFound', `ChangeSet [${ChangeSetName}] does not exist`, 404);
    return found;
  };
  const stackView = (stack: Stack): Any => ({
    StackId: stack.id,
    StackName: stack.name,
    StackStatus: stack.status,
    StackStatusReason: stack.reason,
    CreationTime: stack.createdAt,
    DisableRollback: false,
    EnableTerminationProtection: stack.protected,
    Parameters: stack.parameters,
    Outputs: stack.outputs,
    Tags: stack.tags,
    Capabilities: ['CAPABILITY_IAM', 'CAPABILITY_NAMED_IAM'],
  });
  const changesOf = (stack: Stack, read: ChangeSet['read']): Any[] => {
    const [before, after] = [stack.template.Resources, read.template.Resources];
    return [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((id) => {
      if (JSON.stringify(before[id]) === JSON.stringify(after[id])) return [];
      const Action = !before[id] ? 'Add' : !after[id] ? 'Remove' : 'Modify';
      const ResourceType = (after[id] ?? before[id])!.Type;
      return [{ Type: 'Resource', ResourceChange: { Action, LogicalResourceId: id, ResourceType } }];
    });
  };
  return {
    CreateChangeSet: (
      input: StackInput & { ChangeSetName: string; ChangeSetType?: string; Capabilities?: string[] },
    ) => {
      if (Buffer.byteLength(input.TemplateBody ?? '') > LIMITS.inlineBytes)
        throw new AwsFault('ValidationError', `templateBody has over ${LIMITS.inlineBytes} bytes`);
      const read = stacks.read(input);
      const types = Object.values(read.template.Resources);
      if (
        types.some(({ Type }) => Type.startsWith('AWS::IAM::')) &&
        !input.Capabilities?.includes('CAPABILITY_NAMED_IAM')
      )
        throw new AwsFault(
          'InsufficientCapabilitiesException',
          'Requires capabilities : [CAPABILITY_NAMED_IAM]',
        );
      const stack =
        input.ChangeSetType === 'CREATE' ? stacks.open(input.StackName) : stacks.find(input.StackName);
      if (/_IN_PROGRESS$|^ROLLBACK_COMPLETE$/.test(stack.status) && stack.status !== 'REVIEW_IN_PROGRESS')
        throw new AwsFault(
          'ValidationError',
          `Stack:${stack.id} is in ${stack.status} state and can not be updated.`,
        );
      const changes = changesOf(stack, read);
      const tags = input.Tags ?? [];
      const same =
        changes.length === 0 &&
        JSON.stringify(read.template.Outputs) === JSON.stringify(stack.template.Outputs) &&
        JSON.stringify(tags) === JSON.stringify(stack.tags);
      const id = `arn:${PARTITION}:cloudformation:${stacks.region}:${ACCOUNT}:changeSet/${input.ChangeSetName}/${digest(`${stack.id}/${changeSets.size}`)}`;
      changeSets.set(id, {
        id,
        name: input.ChangeSetName,
        stack,
        type: input.ChangeSetType ?? 'UPDATE',
        ...(same
          ? { status: 'FAILED', reason: "The submitted information didn't contain changes." }
          : { status: 'CREATE_COMPLETE' }),
        changes,
        read,
        tags,
      });
      return { Id: id, StackId: stack.id };
    },
    DescribeChangeSet: (input: { ChangeSetName: string; StackName?: string }) => {
      const found = changeSet(input);
      return {
        ChangeSetId: found.id,
        ChangeSetName: found.name,
        StackId: found.stack.id,
        StackName: found.stack.name,
        Status: found.status,
        StatusReason: found.reason,
        ExecutionStatus: found.status === 'FAILED' ? 'UNAVAILABLE' : 'AVAILABLE',
        CreationTime: stacks.now(),
        Changes: found.changes,
      };
    },
    ExecuteChangeSet: (input: { ChangeSetName: string; StackName?: string }) => {
      const { stack, read, tags } = changeSet(input);
      stacks.apply(stack, { ...read, tags });
      return {};
    },
    DeleteChangeSet: (input: { ChangeSetName: string; StackName?: string }) => {
      try {
        changeSets.delete(changeSet(input).id);
      } catch {
        // Deleting what is not there succeeds.
      }
      return {};
    },
    DescribeStacks: ({ StackName }: { StackName?: string }) => ({
      Stacks: (StackName === undefined ? [...stacks.all.values()] : [stacks.find(StackName)]).map(stackView),
    }),
    DescribeStackEvents: ({ StackName }: { StackName: string }) => {
      const stack = stacks.find(StackName);
      return {
        StackEvents: stack.events.map((event, n) => ({
          StackId: stack.id,
          EventId: `${stack.events.length - n}`,
          StackName: stack.name,
          LogicalResourceId: event.logicalId,
          PhysicalResourceId:
            stack.resources.get(event.logicalId)?.ref ?? (event.logicalId === stack.name ? stack.id : ''),
          ResourceType: event.type,
          Timestamp: event.at,
          ResourceStatus: event.status,
          ResourceStatusReason: event.reason,
        })),
      };
    },
    GetTemplate: ({ StackName }: { StackName: string }) => ({ TemplateBody: stacks.find(StackName).body }),
    DescribeStackResources: ({ StackName }: { StackName: string }) => ({
      StackResources: [...stacks.find(StackName).resources.values()].map((live) => ({
        LogicalResourceId: live.logicalId,
        PhysicalResourceId: live.ref,
        ResourceType: live.type,
        ResourceStatus: 'CREATE_COMPLETE',
        Timestamp: stacks.now(),
      })),
    }),
    UpdateTerminationProtection: ({ StackName, EnableTerminationProtection }: Any) => {
      const stack = stacks.find(StackName);
      stack.protected = EnableTerminationProtection === 'true';
      return { StackId: stack.id };
    },
    DeleteStack: ({ StackName }: { StackName: string }) => {
      stacks.delete(stacks.find(StackName));
      return {};
    },
  };
}
