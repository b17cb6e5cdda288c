# Which edges of a workflow may be taken, and which tools may be called. What is not known is not allowed.
package aob

import rego.v1

default allow := false

allow if count(violated) == 0

known := {"input_is_present", "require_human_for_risk_high"}

violated contains rule if {
	some rule in input.policies
	not rule in known
}

violated contains "input_is_present" if {
	"input_is_present" in input.policies
	input.ctx.text == ""
}

violated contains "require_human_for_risk_high" if {
	"require_human_for_risk_high" in input.policies
	input.ctx.risk == "high"
	not input.ctx.approval
}

default tool_allow := false

tool_allow if input.tool in {"cmms.create_workorder", "echo.broken", "echo.flaky", "text.uppercase"}
