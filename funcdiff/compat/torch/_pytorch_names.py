"""Which public names PyTorch 2.13 has, by module, that the shim has not; read only when one is asked for."""

NAMES = {
    "": """
        AVG AcceleratorError AggregationType AliasDb AnyType Argument ArgumentSpec AwaitType
        BFloat16Storage BFloat16Tensor BenchmarkConfig BenchmarkExecutionStats Block BoolStorage
        BoolType BufferDict ByteStorage CallStack Capsule CharStorage CharTensor ClassType Code
        CompilationUnit CompleteArgumentSpec ComplexDoubleStorage ComplexFloatStorage ComplexType
        ConcreteModuleType ConcreteModuleTypeBuilder DeepCopyMemoTable DeserializationStorageContext
        DeviceObjType DictType DisableTorchFunction DisableTorchFunctionSubclass DispatchKey
        DispatchKeySet DoubleStorage EnumType ErrorReport Event ExcludeDispatchKeyGuard
        ExecutionPlan FatalError FileCheck FloatStorage FloatType FunctionSchema Future FutureType
        GradScaler Gradient Graph GraphExecutorState HalfStorage HalfTensor IODescriptor
        InferredType IntStorage IntType InterfaceType JITException ListType LiteScriptModule
        LockingLogger LoggerBase LongStorage ModuleDict Node NoneType NoopLogger NumberType
        OperatorInfo OptionalType OutOfMemoryError PRIVATE_OPS ParameterDict PyObjectType
        PyTorchFileReader PyTorchFileWriter QInt32Storage QInt8Storage QUInt2x4Storage
        QUInt4x2Storage QUInt8Storage RRefType SUM ScriptClass ScriptClassFunction ScriptDict
        ScriptDictIterator ScriptDictKeyIterator ScriptFunction ScriptList ScriptListIterator
        ScriptMethod ScriptModule ScriptModuleSerializer ScriptObject ScriptObjectProperty
        SerializationStorageContext ShortStorage ShortTensor StaticModule Storage StorageBase Stream
        StreamObjType StringType SymBool SymBoolType SymFloat SymInt SymIntType Tag TensorType
        ThroughputBenchmark TracingState TupleType Type TypedStorage USE_GLOBAL_DEPS
        USE_RTLD_GLOBAL_WITH_LIBTORCH UnionType UntypedStorage Use Value accelerator acosh_ addmv_
        affine_grid_generator alias_copy alpha_dropout_ amp arccos_ arccosh_ arcsin_ arcsinh_
        arctan_ arctanh_ are_deterministic_algorithms_enabled as_strided_ as_strided_copy asinh_
        atanh_ autocast autocast_decrement_nesting autocast_increment_nesting backends batch_norm
        batch_norm_backward_elemt batch_norm_backward_reduce batch_norm_elemt
        batch_norm_gather_stats batch_norm_gather_stats_with_counts batch_norm_stats
        batch_norm_update_stats binary_cross_entropy_with_logits binomial bit bits16 bits1x8 bits2x4
        bits4x2 bits8 ccol_indices_copy celu_ chalf channels_last channels_last_3d
        choose_qparams_optimized classes classproperty clear_autocast_cache col_indices_copy
        compiled_with_cxx11_abi compiler complex32 cond conj_physical conj_physical_ constant_pad_nd
        conv_tbc convolution cosine_embedding_loss cpp cpu crow_indices_copy ctc_loss
        cudnn_affine_grid_generator cudnn_batch_norm cudnn_convolution cudnn_convolution_add_relu
        cudnn_convolution_relu cudnn_convolution_transpose cudnn_grid_sampler cudnn_is_acceptable
        deg2rad_ dequantize detach_ detach_copy diagonal_copy distributions dropout_ dsmm eig
        embedding embedding_bag embedding_renorm_ empty_permuted empty_quantized empty_strided
        expand_copy export fake_quantize_per_channel_affine fake_quantize_per_tensor_affine
        fbgemm_linear_fp16_weight fbgemm_linear_fp16_weight_fp32_activation
        fbgemm_linear_int8_weight fbgemm_linear_int8_weight_fp32_activation
        fbgemm_linear_quantize_weight fbgemm_pack_gemm_matrix_fp16 fbgemm_pack_quantized_matrix
        feature_alpha_dropout feature_alpha_dropout_ feature_dropout feature_dropout_ fix_
        float4_e2m1fn_x2 float8_e4m3fn float8_e4m3fnuz float8_e5m2 float8_e5m2fnuz float8_e8m0fnu
        fork frobenius_norm from_file functional fused_moving_avg_obs_fake_quant futures gcd_ geqrf
        get_autocast_cpu_dtype get_autocast_dtype get_autocast_gpu_dtype get_autocast_ipu_dtype
        get_autocast_xla_dtype get_default_device get_deterministic_debug_mode get_device
        get_device_module get_file_path get_float32_matmul_precision get_num_interop_threads
        gradient grid_sampler grid_sampler_2d grid_sampler_3d gru gru_cell has_lapack has_mkl
        has_openmp has_spectral hash_tensor hinge_embedding_loss histogram histogramdd hsmm hspmm
        i0_ import_ir_module import_ir_module_from_buffer index_reduce indices_copy init_num_threads
        instance_norm int1 int2 int3 int4 int5 int6 int7 int_repr is_anomaly_check_nan_enabled
        is_anomaly_enabled is_autocast_cache_enabled is_autocast_cpu_enabled is_autocast_enabled
        is_autocast_ipu_enabled is_autocast_xla_enabled
        is_deterministic_algorithms_warn_only_enabled is_distributed is_signed is_storage
        is_vulkan_available is_warn_always_enabled istft jagged kaiser_window kl_div lcm_ ldexp_
        legacy_contiguous_format library lobpcg logit_ lstm lstm_cell lstsq lu lu_solve lu_unpack
        margin_ranking_loss masked matrix_rank max_pool1d_with_indices merge_type_from_type_comment
        miopen_batch_norm miopen_convolution miopen_convolution_add_relu miopen_convolution_relu
        miopen_convolution_transpose miopen_ctc_loss miopen_depthwise_convolution miopen_rnn
        mkldnn_adaptive_avg_pool2d mkldnn_convolution mkldnn_linear_backward_weights
        mkldnn_max_pool2d mkldnn_max_pool3d mkldnn_rnn_layer monitor mtia narrow_copy
        native_batch_norm native_channel_shuffle native_dropout native_group_norm native_layer_norm
        native_norm negative_ nested nonzero_static norm_except_dim nuclear_norm orgqr ormqr
        overrides package parse_ir parse_schema parse_type_comment pca_lowrank per_channel_affine
        per_channel_affine_float_qparams per_channel_symmetric per_tensor_affine
        per_tensor_symmetric permute_copy poisson_nll_loss prepare_multiprocessing_environment
        profiler profiler_allow_cudagraph_cupti_lazy_reinit_cuda12 q_per_channel_axis
        q_per_channel_scales q_per_channel_zero_points q_scale q_zero_point qint32 qint8 qscheme
        quantize_per_channel quantize_per_tensor_dynamic quantized_batch_norm quantized_gru
        quantized_gru_cell quantized_lstm quantized_lstm_cell quantized_max_pool1d
        quantized_max_pool2d quantized_max_pool3d quantized_rnn_relu_cell quantized_rnn_tanh_cell
        quasirandom quint2x4 quint4x2 quint8 rad2deg_ resize_as_ resize_as_sparse_ resolve_conj
        resolve_neg return_types rnn_relu rnn_relu_cell rnn_tanh rnn_tanh_cell row_indices_copy
        rrelu rrelu_ saddmm segment_reduce select_copy selu_ serialization set_anomaly_enabled
        set_autocast_cache_enabled set_autocast_cpu_dtype set_autocast_cpu_enabled
        set_autocast_dtype set_autocast_enabled set_autocast_gpu_dtype set_autocast_ipu_dtype
        set_autocast_ipu_enabled set_autocast_xla_dtype set_autocast_xla_enabled set_default_device
        set_default_tensor_type set_deterministic_debug_mode set_float32_matmul_precision
        set_flush_denormal set_num_interop_threads set_warn_always signal sinc_ slice_copy
        slice_inverse smm solve sparse_bsc sparse_bsc_tensor sparse_bsr sparse_bsr_tensor
        sparse_compressed_tensor sparse_coo sparse_csc sparse_csc_tensor sparse_csr
        sparse_csr_tensor split_copy split_with_sizes_copy spmm squeeze_copy sspaddmm stft storage
        svd_lowrank sym_constrain_range sym_constrain_range_for_size sym_float sym_fresh_size
        sym_int sym_ite sym_max sym_min sym_not sym_sqrt sym_sum symeig t_copy testing
        thread_safe_generator threshold_ to_dlpack torch_version transpose_copy triangular_solve
        triplet_margin_loss types uint1 uint2 uint3 uint4 uint5 uint6 uint7 unbind_copy unfold_copy
        unify_type_list unsafe_split_with_sizes unsqueeze_copy values_copy version
        view_as_complex_copy view_as_real_copy view_copy wait while_loop windows xlogy_
    """,
    "Tensor": """
        aminmax as_strided_ as_subclass baddbmm_ bfloat16 cauchy_ ccol_indices chalf coalesce
        col_indices conj_physical_ const_data_ptr crow_indices dense_dim dequantize dim_order eig
        geometric_ geqrf grad_dtype hardshrink hash_tensor histogram index index_reduce
        index_reduce_ indices int_repr ipu is_ipu is_maia is_mps is_mtia is_set_to is_sparse_csr
        is_vulkan is_xla is_xpu istft log_normal_ lstsq lu lu_solve map2_ module_load mtia name
        narrow_copy new new_empty_strided nonzero_static orgqr ormqr prelu q_per_channel_axis
        q_per_channel_scales q_per_channel_zero_points q_scale q_zero_point qscheme record_stream
        reinforce resize resize_ resize_as resize_as_ resize_as_sparse_ row_indices set_
        slice_inverse smm solve sparse_dim sparse_mask sparse_resize_ sparse_resize_and_clear_
        sspaddmm stft storage storage_type symeig to_mkldnn to_padded_tensor to_sparse to_sparse_bsc
        to_sparse_bsr to_sparse_coo to_sparse_csc to_sparse_csr triangular_solve
        unsafe_split_with_sizes untyped_storage values volatile xpu
    """,
    "nn": """
        AdaptiveLogSoftmaxWithLoss CTCLoss Container CrossMapLRN2d DataParallel EmbeddingBag
        FractionalMaxPool2d FractionalMaxPool3d LPPool3d LazyBatchNorm1d LazyBatchNorm2d
        LazyBatchNorm3d LazyConv1d LazyConv2d LazyConv3d LazyConvTranspose1d LazyConvTranspose2d
        LazyConvTranspose3d LazyInstanceNorm1d LazyInstanceNorm2d LazyInstanceNorm3d LazyLinear
        LinearCrossEntropyLoss LinearCrossEntropyOptions LocalResponseNorm MaxUnpool1d MaxUnpool2d
        MaxUnpool3d MultiLabelMarginLoss MultiLabelSoftMarginLoss MultiMarginLoss NLLLoss2d RNNBase
        RNNCellBase RReLU Softmax2d SyncBatchNorm TripletMarginWithDistanceLoss UninitializedBuffer
        UninitializedParameter common_types factory_kwargs grad intrinsic modules parallel qat
        quantizable quantized
    """,
    "nn.functional": """
        BroadcastingList1 BroadcastingList2 BroadcastingList3 ScalingType SwizzleType
        adaptive_max_pool1d_with_indices adaptive_max_pool2d_with_indices
        adaptive_max_pool3d_with_indices affine_grid assert_int_or_pair boolean_dispatch celu_
        conv_tbc ctc_loss elu_ embedding_bag fractional_max_pool2d
        fractional_max_pool2d_with_indices fractional_max_pool3d fractional_max_pool3d_with_indices
        grad grid_sample grouped_mm gumbel_softmax handle_torch_function hardtanh_
        has_torch_function has_torch_function_unary has_torch_function_variadic leaky_relu_
        linear_cross_entropy local_response_norm lp_pool3d max_pool1d_with_indices
        max_pool2d_with_indices max_pool3d_with_indices max_unpool1d max_unpool2d max_unpool3d
        multi_margin_loss multilabel_margin_loss multilabel_soft_margin_loss native_channel_shuffle
        pdist reproducibility_notes rrelu rrelu_ scaled_grouped_mm scaled_mm selu_
        sparse_support_notes tf32_notes threshold_ triplet_margin_with_distance_loss
        upsample_bilinear upsample_nearest
    """,
    "nn.init": """
        Tensor constant dirac dirac_ eye kaiming_normal kaiming_uniform normal orthogonal sparse
        uniform xavier_normal xavier_uniform
    """,
    "nn.utils": """
        clip_grad clip_grad_norm clip_grads_with_norm_ convert_conv2d_weight_memory_format
        convert_conv3d_weight_memory_format convert_parameters fuse_conv_bn_eval
        fuse_conv_bn_weights fuse_linear_bn_eval fuse_linear_bn_weights fusion init memory_format
        parametrizations parametrize remove_spectral_norm remove_weight_norm rnn skip_init
        spectral_norm stateless weight_norm
    """,
    "optim": """
        Adafactor Muon SparseAdam swa_utils swap_in_optimizer_params_and_state
    """,
    "optim.lr_scheduler": """
        CyclicLR Optimizer Tensor bisect_right inf
    """,
    "func": """
        debug_unwrap rearrange
    """,
    "autograd": """
        DeviceType NestedIOFunction ProfilerActivity ProfilerConfig ProfilerEvent ProfilerState
        SavedTensor enforce_grad_layout_policy handle_torch_function has_torch_function
        is_multithreading_enabled is_tensor_like is_view_replay_enabled kineto_available
        profiler_legacy profiler_util set_multithreading_enabled variable
    """,
    "autograd.functional": """
        fwAD
    """,
    "autograd.forward_ad": """

    """,
    "autograd.graph": """
        RemovableHandle TorchDispatchMode Variable allow_mutation_on_saved_tensors
        disable_saved_tensors_hooks increment_version log region_activation_memory_budget
        save_on_cpu saved_tensors_hooks set_override_stale_capture_stream
        set_warn_on_accumulate_grad_stream_mismatch
    """,
    "autograd.profiler": """
        DeviceType EnforceUnique FunctionEvent Future KinetoStepTracker MemRecordsAcc
        ProfilerActivity ProfilerConfig ProfilerState emit_itt emit_nvtx kineto_available
        load_nvprof log parse_nvprof_trace perf_counter_ns warn
    """,
    "linalg": """
        cholesky_ex common_notes diagonal householder_product inv_ex ldl_factor ldl_factor_ex
        ldl_solve lu lu_factor lu_factor_ex lu_solve solve_ex
    """,
    "utils.data": """
        ChainDataset DFIterDataPipe DataChunk DistributedSampler IterDataPipe MapDataPipe
        StackDataset WeightedRandomSampler argument_validation dataloader datapipes dataset
        default_convert distributed functional_datapipe get_worker_info graph graph_settings
        guaranteed_datapipes_determinism non_deterministic runtime_validation
        runtime_validation_disabled sampler
    """,
    "special": """
        airy_ai chebyshev_polynomial_t chebyshev_polynomial_u chebyshev_polynomial_v
        chebyshev_polynomial_w common_args hermite_polynomial_h hermite_polynomial_he
        laguerre_polynomial_l legendre_polynomial_p multi_dim_common scaled_modified_bessel_k0
        scaled_modified_bessel_k1 shifted_chebyshev_polynomial_t shifted_chebyshev_polynomial_u
        shifted_chebyshev_polynomial_v shifted_chebyshev_polynomial_w spherical_bessel_j0
    """,
    "fft": """
        common_args factory_common_args hfft2 hfftn ihfft2 ihfftn
    """,
    "random": """
        thread_safe_generator
    """,
}
