//! Rows for `Task`: containers, pods, declared inputs and outputs.

use super::{ACCEPTED, Row, check, check_rows};

const MISSING_OR_UNKNOWN: &[Row] = &[
    ("{}", &["spec.job: Required value"]),
    ("{job: {}}", &["spec.job", "a job needs an image"]),
    ("{job: {image: a, imagee: b}}", &["unknown field \"spec.job.imagee\""]),
    (
        "{job: {image: a}, retry: {maxAttempt: 3}}",
        &["unknown field \"spec.retry.maxAttempt\""],
    ),
    ("{job: {image: a}}", ACCEPTED),
    (
        "{job: {fieldsFrom: [{field: image, expression: inputs.image}]}}",
        ACCEPTED,
    ),
    (
        "{job: {image: null, fieldsFrom: [{field: image, expression: inputs.image}]}}",
        ACCEPTED,
    ),
];

#[tokio::test]
async fn what_is_missing_or_unknown_is_named() {
    check_rows("Task", MISSING_OR_UNKNOWN).await;
}

const NAMES: &[Row] = &[
    (
        "{job: {image: a}, inputs: [{name: my-file}]}",
        &[
            "spec.inputs[0].name",
            "\"my-file\"",
            "lower-case letters, digits and '_'",
        ],
    ),
    (
        "{job: {image: a}, inputs: [{name: File}]}",
        &["spec.inputs[0].name", "begin with a lower-case letter"],
    ),
    (
        "{job: {image: a}, inputs: [{name: ''}]}",
        &["spec.inputs[0].name", "begin with a lower-case letter"],
    ),
    (
        "{job: {image: a}, inputs: [{name: größe}]}",
        &["spec.inputs[0].name", "begin with a lower-case letter"],
    ),
    (
        "{job: {image: a}, inputs: [{name: while}]}",
        &["spec.inputs[0].name", "belongs to the expression language"],
    ),
    (
        "{job: {image: a}, outputs: [{name: item}]}",
        &["spec.outputs[0].name", "belongs to the expression language"],
    ),
    (
        "{job: {image: a}, inputs: [{name: a}, {name: a}]}",
        &["spec.inputs[1]: Duplicate value"],
    ),
    (
        "{job: {image: a}, outputs: [{name: a}, {name: a}]}",
        &["spec.outputs[1]: Duplicate value"],
    ),
    (
        "{job: {image: a, class: gpu_large}}",
        &["spec.job.class", "write lower-case letters, digits, '-' and '.'"],
    ),
    (
        "{job: {image: a, class: gpu-large, pod: {serviceAccountName: a.b}}}",
        ACCEPTED,
    ),
];

#[tokio::test]
async fn names_are_identifiers_or_object_names() {
    check_rows("Task", NAMES).await;
    let name = |length: usize| format!("{{job: {{image: a}}, inputs: [{{name: {}}}]}}", "n".repeat(length));
    check(
        "Task",
        [
            (name(40), ACCEPTED.to_vec()),
            (name(41), vec!["spec.inputs[0].name: Too long: may not be more than 40"]),
        ],
    )
    .await;
}

const INPUTS_AND_OUTPUTS: &[Row] = &[
    (
        "{job: {image: a}, inputs: [{name: a, type: text}]}",
        &["spec.inputs[0].type", "supported values: \"string\", \"integer\""],
    ),
    (
        "{job: {image: a}, inputs: [{name: a, type: integer, pattern: a}]}",
        &["spec.inputs[0].pattern", "inputs of type string"],
    ),
    (
        "{job: {image: a}, outputs: [{name: a, type: integer, format: Text}]}",
        &["spec.outputs[0].format", "output of type string"],
    ),
    (
        "{job: {image: a}, outputs: [{name: a, format: Text}, {name: b}]}",
        &["spec.outputs", "must be the only output"],
    ),
    (
        "{job: {image: a}, outputs: [{name: a, format: Html}]}",
        &["spec.outputs[0].format", "supported values: \"Text\""],
    ),
    ("{job: {image: a}, outputs: [{name: a, format: Text}]}", ACCEPTED),
    (
        "{job: {image: a}, inputs: [{name: a, type: object, default: {b: [1, null]}}, {name: c, type: string, pattern: '^a$', default: ''}]}",
        ACCEPTED,
    ),
    (
        "{job: {image: a}, outputs: [{name: a, default: '{{ inputs.x }} ${y} $(z)'}]}",
        ACCEPTED,
    ),
];

#[tokio::test]
async fn inputs_and_outputs_fit_their_types() {
    check_rows("Task", INPUTS_AND_OUTPUTS).await;
}

const CONTAINERS: &[Row] = &[
    (
        "{job: {image: a, script: 'true', command: ['true']}}",
        &["spec.job.script", "either script, or command and args"],
    ),
    (
        "{job: {image: a, script: 'true', args: ['true']}}",
        &["spec.job.script", "either script, or command and args"],
    ),
    (
        "{job: {image: a, interpreter: [python3], command: [a]}}",
        &["spec.job.interpreter", "add a script"],
    ),
    ("{job: {image: a, script: ''}}", &["spec.job.script", "at least 1"]),
    ("{job: {image: 'a b'}}", &["spec.job.image", "host/name:tag"]),
    (
        "{job: {image: a, imagePullPolicy: Sometimes}}",
        &["spec.job.imagePullPolicy", "supported values: \"Always\""],
    ),
    (
        "{job: {image: a, env: [{name: INPUT_TOP, value: x}]}}",
        &["spec.job.env[0].name", "set by Jobwright", "declare an input"],
    ),
    (
        "{job: {image: a, env: [{name: JOBWRIGHT_RUN, value: x}]}}",
        &["spec.job.env[0].name", "set by Jobwright"],
    ),
    (
        "{job: {image: a, env: [{name: TRACEPARENT, value: x}]}}",
        &["spec.job.env[0].name", "set by Jobwright"],
    ),
    (
        "{job: {image: a, env: [{name: 'A=B', value: x}]}}",
        &["spec.job.env[0].name", "has no equals sign"],
    ),
    (
        "{job: {image: a, env: [{name: '', value: x}]}}",
        &["spec.job.env[0].name", "at least 1"],
    ),
    (
        "{job: {image: a, env: [{name: A}, {name: A}]}}",
        &["spec.job.env[1]: Duplicate value"],
    ),
    (
        "{job: {image: a, fieldsFrom: [{field: script, expression: a}]}}",
        &["spec.job.fieldsFrom[0].field", "cannot be computed"],
    ),
    (
        "{job: {image: a, resources: {limits: {memory: 64MB}}}}",
        &["spec.job.resources.limits[memory]", "64Mi"],
    ),
    (
        "{job: {image: a, resources: {requests: {cpu: -1}}}}",
        &["spec.job.resources.requests[cpu]", "500m"],
    ),
    (
        "{job: {image: a, resources: {requests: {cpu: 0.5}}}}",
        &["spec.job.resources.requests.cpu", "must be of type"],
    ),
    (
        "{job: {image: 'registry.local:5000/a/b_c:1.2-x@sha256:abc', interpreter: [python3, -c], script: 'print(1)', resources: {limits: {cpu: 1, memory: 1.5Gi}, requests: {cpu: 500m}}}}",
        ACCEPTED,
    ),
    (
        "{job: {image: a, command: [sh, -c, 'echo \"$A\"; `id`; {{ x }}'], env: [{name: A, value: \"'; id; '\"}, {name: B, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]}}",
        ACCEPTED,
    ),
    (
        "{job: {image: a, fieldsFrom: [{field: image, expression: a}, {field: resources.limits.nvidia.com/gpu, expression: a}, {field: nodeSelector, expression: a}]}}",
        ACCEPTED,
    ),
];

#[tokio::test]
async fn a_container_has_one_program_and_its_own_variables() {
    check_rows("Task", CONTAINERS).await;
}

const LABELS: &[Row] = &[
    (
        "{job: {image: a, metadata: {labels: {jobwright.dev/run: '1'}}}}",
        &["spec.job.metadata.labels", "kept for Jobwright"],
    ),
    (
        "{job: {image: a, metadata: {labels: {batch.kubernetes.io/job-name: a}}}}",
        &["spec.job.metadata.labels", "kept for Jobwright"],
    ),
    (
        "{job: {image: a, metadata: {labels: {app.kubernetes.io/managed-by: a}}}}",
        &["spec.job.metadata.labels", "kept for Jobwright"],
    ),
    (
        "{job: {image: a, metadata: {labels: {controller-uid: a}}}}",
        &["spec.job.metadata.labels", "kept for Jobwright"],
    ),
    (
        "{job: {image: a, metadata: {annotations: {jobwright.dev/step: a}}}}",
        &["spec.job.metadata.annotations", "kept for Jobwright"],
    ),
    (
        "{job: {image: a, metadata: {labels: {a/b/c: a}}}}",
        &["spec.job.metadata.labels", "a key is a name of at most 63"],
    ),
    (
        "{job: {image: a, metadata: {labels: {a: b/c}}}}",
        &["spec.job.metadata.labels[a]", "at most 63 letters"],
    ),
    (
        "{job: {image: a, nodeSelector: {a: -b}}}",
        &["spec.job.nodeSelector[a]", "letter or digit at both ends"],
    ),
    (
        "{job: {image: a, metadata: {finalizers: [a]}}}",
        &["unknown field \"spec.job.metadata.finalizers\""],
    ),
    (
        "{job: {image: a, metadata: {ownerReferences: []}}}",
        &["unknown field \"spec.job.metadata.ownerReferences\""],
    ),
    (
        "{job: {image: a, metadata: {labels: {a.b/c_d: 'E.f', e: ''}, annotations: {a: 'b / c'}}, nodeSelector: {kubernetes.io/os: linux}}}",
        ACCEPTED,
    ),
];

#[tokio::test]
async fn labels_are_valid_and_none_of_ours() {
    check_rows("Task", LABELS).await;
    let labelled = |key: &str, value: &str| format!("{{job: {{image: a, metadata: {{labels: {{{key}: {value}}}}}}}}}");
    check(
        "Task",
        [
            (labelled("a", &"v".repeat(63)), ACCEPTED.to_vec()),
            (
                labelled("a", &"v".repeat(64)),
                vec!["spec.job.metadata.labels.a: Too long: may not be more than 63"],
            ),
            (labelled(&"k".repeat(63), "v"), ACCEPTED.to_vec()),
            (labelled(&"k".repeat(64), "v"), vec!["a key is a name of at most 63"]),
        ],
    )
    .await;
}

const POWERS: &[Row] = &[
    (
        "{job: {image: a, pod: {hostNetwork: true}}}",
        &["unknown field \"spec.job.pod.hostNetwork\""],
    ),
    (
        "{job: {image: a, pod: {hostPID: true}}}",
        &["unknown field \"spec.job.pod.hostPID\""],
    ),
    (
        "{job: {image: a, pod: {hostIPC: true}}}",
        &["unknown field \"spec.job.pod.hostIPC\""],
    ),
    (
        "{job: {image: a, pod: {hostUsers: true}}}",
        &["unknown field \"spec.job.pod.hostUsers\""],
    ),
    (
        "{job: {image: a, pod: {nodeName: a}}}",
        &["unknown field \"spec.job.pod.nodeName\""],
    ),
    (
        "{job: {image: a, pod: {restartPolicy: Always}}}",
        &["unknown field \"spec.job.pod.restartPolicy\""],
    ),
    (
        "{job: {image: a, pod: {containers: []}}}",
        &["unknown field \"spec.job.pod.containers\""],
    ),
    (
        "{job: {image: a, pod: {ephemeralContainers: []}}}",
        &["unknown field \"spec.job.pod.ephemeralContainers\""],
    ),
    (
        "{job: {image: a, pod: {volumes: [{name: a, hostPath: {path: /}}]}}}",
        &[
            "spec.job.pod.volumes[0].hostPath",
            "is refused",
            "persistentVolumeClaim",
        ],
    ),
    (
        "{job: {image: a, pod: {volumes: [{name: a, ephemeral: {volumeClaimTemplate: {metadata: {finalizers: [a]}, spec: {}}}}]}}}",
        &["unknown field \"spec.job.pod.volumes[0].ephemeral.volumeClaimTemplate.metadata.finalizers\""],
    ),
    (
        "{job: {image: a, pod: {priorityClassName: system-node-critical}}}",
        &["spec.job.pod.priorityClassName", "are refused"],
    ),
    (
        "{job: {image: a, pod: {terminationGracePeriodSeconds: -1}}}",
        &[
            "spec.job.pod.terminationGracePeriodSeconds",
            "greater than or equal to 0",
        ],
    ),
    (
        "{job: {image: a, managedBy: me}}",
        &["unknown field \"spec.job.managedBy\""],
    ),
    (
        "{job: {image: a, manualSelector: true}}",
        &["unknown field \"spec.job.manualSelector\""],
    ),
    (
        "{job: {image: a, backoffLimit: 3}}",
        &["unknown field \"spec.job.backoffLimit\""],
    ),
    ("{job: {image: a, ports: []}}", &["unknown field \"spec.job.ports\""]),
    (
        "{job: {image: a, sidecars: [{name: s, image: a, ports: [{containerPort: 1, hostPort: 80}]}]}}",
        &["spec.job.sidecars[0].ports[0].hostPort", "is refused"],
    ),
    (
        "{job: {image: a, sidecars: [{name: s, restartPolicy: Always}]}}",
        &["spec.job.sidecars[0].restartPolicy", "leave it out"],
    ),
    (
        "{job: {image: a, initContainers: [{name: s, restartPolicy: Always}]}}",
        &["spec.job.initContainers[0].restartPolicy", "leave it out"],
    ),
    (
        "{job: {image: a, initContainers: [{name: s, restartPolicyRules: [{action: Restart}]}]}}",
        &["spec.job.initContainers[0].restartPolicyRules", "leave it out"],
    ),
    (
        "{job: {image: a, sidecars: [{name: main}]}}",
        &["spec.job.sidecars[0].name", "choose another"],
    ),
    (
        "{job: {image: a, sidecars: [{name: s}, {name: s}]}}",
        &["spec.job.sidecars[1]: Duplicate value"],
    ),
    (
        "{job: {image: a, sidecars: [{name: s, ports: [{containerPort: 3000000000}]}]}}",
        &["spec.job.sidecars[0].ports[0].containerPort"],
    ),
    (
        "{job: {image: a, sidecars: [{name: s, readinessProbe: {tcpSocket: {port: 3000000000}}}]}}",
        &["spec.job.sidecars[0].readinessProbe.tcpSocket.port"],
    ),
    (
        "{job: {image: a, sidecars: [{name: s, securityContext: {runAsUser: 10000000000000000000}}]}}",
        &["spec.job.sidecars[0].securityContext.runAsUser"],
    ),
    (
        "{job: {image: a, volumeMounts: [{name: a, mountPath: /a}, {name: b, mountPath: /a}]}}",
        &["spec.job.volumeMounts[1]: Duplicate value"],
    ),
    (WIDE, ACCEPTED),
];

#[tokio::test]
async fn a_pod_gets_no_power_over_its_node() {
    check_rows("Task", POWERS).await;
}

/// All that an author may use around a container.
const WIDE: &str = "
owner: data-platform
job:
  image: registry.local/tools:1
  command: [/bin/count, '--top=$(INPUT_TOP)']
  envFrom: [{secretRef: {name: a, optional: true}}, {configMapRef: {name: b}, prefix: B_}]
  volumeMounts: [{name: data, mountPath: /data, readOnly: true, subPath: a/b}]
  securityContext: {runAsNonRoot: true, capabilities: {drop: [ALL]}, seccompProfile: {type: RuntimeDefault}}
  sidecars:
  - {name: proxy, image: p, args: [--x], ports: [{containerPort: 80, name: http, protocol: TCP}], readinessProbe: {httpGet: {path: /, port: http}}, resources: {limits: {cpu: 2}}}
  initContainers: [{name: fetch, image: f, command: [sh, -c, 'fetch'], env: [{name: INPUT_X, value: own}]}]
  tolerations: [{key: gpu, operator: Exists, effect: NoSchedule, tolerationSeconds: 30}]
  metadata: {labels: {team: a}}
  pod:
    affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: disk, operator: In, values: [ssd]}]}]}}}
    automountServiceAccountToken: true
    dnsConfig: {nameservers: [10.0.0.1], options: [{name: ndots, value: '2'}]}
    dnsPolicy: None
    imagePullSecrets: [{name: pull}]
    priorityClassName: batch
    securityContext: {fsGroup: 1000, runAsUser: 1000}
    terminationGracePeriodSeconds: 60
    topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {a: b}}}]
    volumes:
    - {name: data, persistentVolumeClaim: {claimName: c}}
    - {name: tmp, emptyDir: {sizeLimit: 1Gi, medium: Memory}}
    - {name: own, ephemeral: {volumeClaimTemplate: {metadata: {labels: {a: b}}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}}}
    - {name: mix, projected: {sources: [{configMap: {name: a}}, {serviceAccountToken: {path: token, audience: x}}, {downwardAPI: {items: [{path: cpu, resourceFieldRef: {resource: limits.cpu, containerName: main, divisor: 1m}}]}}]}}
";
