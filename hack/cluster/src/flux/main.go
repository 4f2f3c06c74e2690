// What Flux's kustomize-controller does with manifests, by the library that it does it with: apply them server-side as
// far as they differ from what is there, then wait until all are as their conditions say (kstatus), or will not be.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/polling"
	"github.com/fluxcd/pkg/ssa"
	"github.com/fluxcd/pkg/ssa/normalize"
	"github.com/fluxcd/pkg/ssa/utils"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

type result struct {
	Changes map[string]string `json:"changes"` // by object: created, configured, unchanged
	Health  string            `json:"health"`  // why it is not healthy; empty: it is
	Seconds float64           `json:"seconds"` // how long it took to say so
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "flux FILE TIMEOUT: manifests, and how long they may take (90s)")
		os.Exit(2)
	}
	found, err := reconcile(context.Background(), os.Args[1], os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if err := json.NewEncoder(os.Stdout).Encode(found); err != nil {
		os.Exit(1)
	}
}

func reconcile(ctx context.Context, path, limit string) (*result, error) {
	timeout, err := time.ParseDuration(limit)
	if err != nil {
		return nil, err
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	objects, err := utils.ReadObjects(file)
	if err != nil {
		return nil, err
	}
	if err := normalize.UnstructuredList(objects); err != nil {
		return nil, err
	}
	manager, err := connect()
	if err != nil {
		return nil, err
	}
	changes, err := manager.ApplyAllStaged(ctx, objects, options())
	if err != nil {
		return nil, err
	}
	found := &result{Changes: map[string]string{}}
	for _, entry := range changes.Entries {
		found.Changes[entry.Subject] = string(entry.Action)
	}
	began := time.Now()
	patience := ssa.WaitOptions{Interval: time.Second, Timeout: timeout, FailFast: true}
	if err := manager.WaitForSet(changes.ToObjMetadataSet(), patience); err != nil {
		found.Health = err.Error()
	}
	found.Seconds = time.Since(began).Seconds()
	return found, nil
}

// options are the controller's own: what people have changed with kubectl is taken over, and so undone.
func options() ssa.ApplyOptions {
	found := ssa.DefaultApplyOptions()
	found.Cleanup = ssa.ApplyCleanupOptions{
		Annotations: []string{corev1.LastAppliedConfigAnnotation},
		FieldManagers: []ssa.FieldManager{
			{Name: "kubectl", OperationType: metav1.ManagedFieldsOperationApply},
			{Name: "kubectl", OperationType: metav1.ManagedFieldsOperationUpdate},
			{Name: "before-first-apply", OperationType: metav1.ManagedFieldsOperationUpdate},
		},
	}
	return found
}

func connect() (*ssa.ResourceManager, error) {
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		clientcmd.NewDefaultClientConfigLoadingRules(), &clientcmd.ConfigOverrides{})
	config, err := loader.ClientConfig()
	if err != nil {
		return nil, err
	}
	kube, err := client.New(config, client.Options{})
	if err != nil {
		return nil, err
	}
	poller := polling.NewStatusPoller(kube, kube.RESTMapper(), polling.Options{})
	owner := ssa.Owner{Field: "kustomize-controller", Group: "kustomize.toolkit.fluxcd.io"}
	return ssa.NewResourceManager(kube, poller, owner), nil
}
