"""D2, D6: resilience files come through the same doors as workflows, and their errors are told as theirs are."""

from pathlib import Path

import pytest

import mainspring as ms
from mainspring.definition.load import read, read_text
from mainspring.definition.model import CircuitBreaker, FallbackAction, Retry
from mainspring.definition.resilience_file import ResilienceConfig, ResilienceSpec, StepPolicy
from mainspring.graph.check_resilience import inspect_resilience, load_resilience

FILE = Path(__file__).parent / "files" / "resilience.yaml"
SHARED = Path(__file__).resolve().parents[3] / "shared" / "fixtures" / "resilience.yaml"

EXPECTED = ResilienceConfig(
    kind="WorkflowResilienceConfig",
    metadata={"name": "shop-rules", "owner": "platform"},
    spec=ResilienceSpec(
        default_failure_policy="fail_fast",
        max_partial_failures=2,
        critical_step_ratio=0.5,
        termination_threshold=0.25,
        retry=Retry(strategy="linear", max_attempts=3, initial_delay=100),
        step_policies={
            "billing": StepPolicy(
                match=("payment", "invoice"),
                failure_policy="fail_fast",
                is_critical=True,
                retry=Retry(strategy="fixed", max_attempts=3, initial_delay=5_000),
                circuit_breaker=CircuitBreaker(open_for=60_000),
            ),
            "notices": StepPolicy(
                failure_policy="graceful_degradation",
                is_critical=False,
                failure_impact="minor",
                timeout=30_000,
                fallback_actions=(
                    FallbackAction(type="keep_for_later"),
                    FallbackAction(type="write_note", config={"folder": "notes"}),
                ),
            ),
        },
    ),
)


def test_it_loads() -> None:
    assert load_resilience(FILE) == EXPECTED


def test_the_shared_one_loads() -> None:
    if not SHARED.exists():
        pytest.skip("the fixtures do not lie beside this checkout")
    spec = load_resilience(SHARED).spec
    assert (spec.default_failure_policy, spec.max_partial_failures) == ("partial_success", 4)
    assert list(spec.step_policies) == ["payments", "probes", "messages"]
    assert spec.step_policies["payments"].retry == Retry(strategy="fixed", max_attempts=5, initial_delay=2_000)


HEAD = "kind: WorkflowResilienceConfig\nspec:\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("kind: WorkflowResilienceConfg\nspec: {}\n", ("MS103", 1, 7, "did you mean `WorkflowResilienceConfig`?")),
        ("kind: WorkflowResilienceConfig\n", ("MS101", 1, 1, "needs `spec`")),
        (HEAD + "  maxPartialFailure: 1\n", ("MS104", 3, 3, "did you mean `maxPartialFailures`?")),
        (HEAD + "  defaultFailurePolicy: contine\n", ("MS103", 3, 25, "did you mean `continue`?")),
        (HEAD + "  stepPolicies:\n    a: {isCritcal: true}\n", ("MS104", 4, 9, "did you mean `isCritical`?")),
        (HEAD + "  stepPolicies:\n    a: {retryDelay: soon}\n", ("MS105", 4, 21, "no duration")),
        (HEAD + "  stepPolicies:\n    a: {maxRetries: 40}\n", ("MS219", 4, 21, "from 1 to 10")),
        (HEAD + "  stepPolicies:\n    a: {maxRetries: 2, retry: 3}\n", ("MS106", 4, 24, "both say how to retry")),
        (HEAD + "  stepPolicies: [a]\n", ("MS102", 3, 17, "must be an object, not a list")),
        (HEAD + "  criticalStepRatio: 3\n", ("MS219", 3, 22, "from 0 to 1")),
        ("apiVersion: mainspring/v2\n" + HEAD + "  retryBudget: 1\n", ("MS103", 1, 13, "mainspring/v1")),
        ("id: w\nnodes: []\n", ("MS109", 1, 1, "this is a workflow")),
    ],
)
def test_what_is_wrong_is_told_at_its_place(text: str, expected: tuple[str, int, int, str]) -> None:
    config, found = inspect_resilience(read_text(text, name="r.yaml"))
    assert config is None
    assert [(one.code, one.line, one.column) for one in found] == [expected[:3]]
    assert expected[3] in found[0].text()


def test_a_resilience_file_is_no_workflow() -> None:
    with pytest.raises(ms.DefinitionError, match=r"resilience\.yaml:3:7: error MS109 this is a resilience file"):
        ms.load(FILE)
    assert read(FILE).workflow is None


def test_validate_knows_it(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    from mainspring.cli.main import main

    assert main(["validate", str(FILE)]) == 0
    assert "ok, a resilience file with 2 step policies" in capfd.readouterr().out
    assert main(["validate", "--json", str(FILE)]) == 0
    assert '"kind": "WorkflowResilienceConfig"' in capfd.readouterr().out
    broken = tmp_path / "broken.yaml"
    broken.write_text(HEAD + "  stepPolices: {}\n")
    assert main(["validate", str(broken)]) == 2
    assert "did you mean `stepPolicies`?" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("word", "attempts", "strategy"), [("default", 3, "exponential"), ("strict", 2, "fixed"), ("none", 3, "none")]
)
def test_a_retry_may_be_called_by_a_word(word: str, attempts: int, strategy: str) -> None:
    retry = ms.loads(f"id: w\nnodes: [{{id: a, type: log, retry: {word}}}]").workflow.nodes[0].retry
    assert retry is not None and (retry.max_attempts, retry.strategy) == (attempts, strategy)
