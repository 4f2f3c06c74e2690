package main

import (
	"encoding/json"
	"io"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v3/util/lua"
)

// A question to Argo CD's own interpreter: what do these settings say of this object?
type question struct {
	Object  map[string]any `json:"object"`
	Health  string         `json:"health"`  // resource.customizations.health.<group>_<kind>
	Actions string         `json:"actions"` // resource.customizations.actions.<group>_<kind>
	Run     string         `json:"run"`     // the name of an action
}

type answer struct {
	Error   string                    `json:"error,omitempty"`
	Health  any                       `json:"health,omitempty"`
	Actions []v1alpha1.ResourceAction `json:"actions,omitempty"`
	Made    []lua.ImpactedResource    `json:"made,omitempty"`
}

// answerScripts reads a list of questions and writes a list of answers.
func answerScripts(in io.Reader, out io.Writer) error {
	var asked []question
	if err := json.NewDecoder(in).Decode(&asked); err != nil {
		return err
	}
	answers := make([]answer, 0, len(asked))
	for _, one := range asked {
		found, err := ask(one)
		if err != nil {
			found.Error = err.Error()
		}
		answers = append(answers, found)
	}
	return json.NewEncoder(out).Encode(answers)
}

func ask(one question) (answer, error) {
	object := &unstructured.Unstructured{Object: one.Object}
	key := lua.GetConfigMapKey(object.GroupVersionKind())
	override := v1alpha1.ResourceOverride{HealthLua: one.Health, Actions: one.Actions}
	vm := lua.VM{ResourceOverrides: map[string]v1alpha1.ResourceOverride{key: override}}
	health, err := vm.ExecuteHealthLua(object, one.Health)
	found := answer{Health: health}
	if err != nil || one.Actions == "" {
		return found, err
	}
	discovery, err := vm.GetResourceActionDiscovery(object)
	if err != nil {
		return found, err
	}
	if found.Actions, err = vm.ExecuteResourceActionDiscovery(object, discovery); err != nil || one.Run == "" {
		return found, err
	}
	action, err := vm.GetResourceAction(object, one.Run)
	if err != nil {
		return found, err
	}
	found.Made, err = vm.ExecuteResourceAction(object, action.ActionLua, nil)
	return found, err
}
