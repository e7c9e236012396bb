// Package export_weir_hook_about has the manifest. Weir reads it once, when it admits the component.
package export_weir_hook_about

import a "wit_component/weir_hook_about"

const settings = `{"type":"object","additionalProperties":false,"properties":{"word":{"type":"string"}}}`

// Describe returns the manifest, which never changes.
func Describe() a.Manifest {
	return a.Manifest{
		Name:        "acme",
		Version:     "0.1.0",
		Contract:    "0.1.0",
		Description: "acme: refuses chat requests with a certain word",
		Settings:    settings,
		// Phase_Event here, and access to the answer below, if Answer is to judge answers.
		Phases:        []a.Phase{a.Phase_Request},
		Grants:        a.Grants{Prompt: a.Access_Read, Answer: a.Access_None},
		Deterministic: true,
	}
}
